"""Questions to S3: what its refusals mean for transfers, and whether a file is what an object is.

Missing or expired credentials, and a service that does not answer, are waited for.
"""

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from balsam.exceptions import StepError, TransferWait
from balsam.processing.transfers.outcomes import is_full, no_room

__all__ = ["PassingError", "asking", "check_whole", "is_whole"]

_MISSING = ("404", "NoSuchKey", "NoSuchBucket", "NotFound")
#: What a person has to see to.
_LOGIN = (
    *("ExpiredToken", "ExpiredTokenException", "InvalidAccessKeyId", "InvalidToken", "RequestExpired"),
    *("SignatureDoesNotMatch", "TokenRefreshRequired", "InvalidClientTokenId", "RequestTimeTooSkewed"),
)
_BUSY = (429, 500, 502, 503, 504)
_MD5 = re.compile(r"[0-9a-f]{32}")


class PassingError(StepError):
    """It did not succeed this time."""

    transient = True


@contextmanager
def asking(what: str) -> Iterator[None]:
    """Raise TransferWait, PassingError, or StepError for what is final, with the words of S3."""
    from boto3.exceptions import Boto3Error
    from botocore import exceptions

    logins = (
        exceptions.NoCredentialsError,
        exceptions.PartialCredentialsError,
        exceptions.CredentialRetrievalError,
        exceptions.ProfileNotFound,
        exceptions.SSOError,
        exceptions.TokenRetrievalError,
    )
    try:
        yield
    except logins as error:
        raise _login_needed(str(error)) from error
    except exceptions.ClientError as error:
        raise _refused(error, what) from error
    except Boto3Error as error:  # of an upload; what has happened is its context
        cause = error.__context__
        raise _refused(cause if isinstance(cause, exceptions.ClientError) else error, what) from error
    except (exceptions.ConnectionError, exceptions.HTTPClientError) as error:
        raise TransferWait(f"S3 does not answer: {error}") from error
    except (exceptions.ParamValidationError, ValueError) as error:
        raise StepError(f"s3://{what}: {error}") from error
    except exceptions.BotoCoreError as error:
        raise PassingError(f"s3://{what}: {error}") from error
    except (FileExistsError, IsADirectoryError, NotADirectoryError) as error:
        raise StepError(f"s3://{what} is a file as well as a directory: {error}") from error
    except OSError as error:
        if is_full(error):
            raise no_room(error) from error
        raise PassingError(f"s3://{what}: {error}") from error


def _refused(error: Exception, what: str) -> Exception:
    answer: Mapping[str, Any] = getattr(error, "response", {})
    code = str(answer.get("Error", {}).get("Code", ""))
    status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _LOGIN:
        return _login_needed(str(error))
    if code in _MISSING or status == 403:
        return StepError(f"s3://{what}: {error}")
    if status in _BUSY:
        return TransferWait(f"S3: {error}")
    return PassingError(f"s3://{what}: {error}")


def _login_needed(words: str) -> TransferWait:
    return TransferWait(
        f"S3 wants credentials: {words}\nGive them to the agent, in ~/.aws or its environment (AWS_PROFILE, "
        "AWS_ACCESS_KEY_ID), or with `aws sso login`. It goes on then.",
        needs_you=True,
    )


def is_whole(path: str, head: Mapping[str, Any]) -> bool:
    """Say whether a file is there and the same as an object, for certain."""
    if not os.path.isfile(path) or os.stat(path).st_size != head["ContentLength"]:
        return False
    return _md5_of(head) == _digest(path) if _md5_of(head) else False


def check_whole(path: str, head: Mapping[str, Any]) -> None:
    """Raise PassingError when a file is not as large as an object, or its checksum is another one."""
    size = os.stat(path).st_size
    if size != head["ContentLength"]:
        raise PassingError(f"{path} has {size} bytes, and its object {head['ContentLength']}.")
    if (expected := _md5_of(head)) and (found := _digest(path)) != expected:
        raise PassingError(f"The md5 of {path} is {found}, and that of its object {expected}.")


def _md5_of(head: Mapping[str, Any]) -> str:
    """Return the checksum of an object; '': its tag is none (it came in parts, or is encrypted)."""
    tag = str(head.get("ETag", "")).strip('"')
    is_plain = head.get("ServerSideEncryption") in (None, "AES256") and not head.get("SSECustomerAlgorithm")
    return tag if is_plain and _MD5.fullmatch(tag) else ""


def _digest(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
