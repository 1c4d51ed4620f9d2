"""Refuse what a user may not put into a job script or a submit command.

Guards that no value ends a directive, begins another, or is read by the shell as more than one word.
"""

import re
import shlex
from collections.abc import Mapping

from balsam.exceptions import UsageError
from balsam.schemas.batch_jobs import BatchJobRequest

__all__ = ["checked", "flag_words"]

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.,:@+/-]*")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
#: What a shell expands even in double quotes, ends a quotation, or ends a command.
_ACTIVE = set("\"'`$\\!")
_ENDS_COMMAND = set(";&|<>`$\\")


def checked(request: BatchJobRequest) -> BatchJobRequest:
    """Return the request; raises UsageError when a text of it could be read as anything but a value."""
    _check_name("project (-A)", request.project)
    _check_name("queue (-q)", request.queue)
    if found := _unwanted(request.workflow, _ACTIVE):
        raise UsageError(
            f"The workflow filter {request.workflow!r} contains {found}, which cannot be put into a job "
            "script safely. A part of the name without it will do: workflows that contain it are meant."
        )
    flag_words(request.sched_flags)
    for tags in (request.filter_tags, *(part.get("filter_tags") or {} for part in request.partitions or ())):
        _check_tags(tags)
    _check_optional_params(request.optional_params)
    return request


def flag_words(text: str) -> list[str]:
    """Split flags for the submit command; raises UsageError when they are no flags."""
    if found := _unwanted(text, set(";`$")):
        raise UsageError(f"The scheduler flags {text!r} contain {found}, which no flag needs.")
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError(f"The scheduler flags {text!r} cannot be read: {error}.") from error
    if words and not words[0].startswith("-"):
        raise UsageError(
            f"The scheduler flags {text!r} do not start with '-': {words[0]!r} would be taken for the script."
        )
    return words


def _check_name(what: str, value: str) -> None:
    if not _NAME.fullmatch(value):
        raise UsageError(
            f"The {what} {value!r} is no name: give letters, digits and _ . , : @ + / -, "
            "without blanks, and not starting with '-'."
        )


def _check_tags(tags: Mapping[str, str]) -> None:
    for key, value in tags.items():
        if found := _unwanted(f"{key}{value}", _ACTIVE):
            raise UsageError(
                f"The tag {key}={value!r} contains {found}, which no job script can hold safely."
            )


def _check_optional_params(params: Mapping[str, str]) -> None:
    for name, value in params.items():
        if not _IDENTIFIER.fullmatch(name):
            raise UsageError(f"The parameter name {name!r} is no name of a template variable.")
        if found := _unwanted(value, _ACTIVE | _ENDS_COMMAND):
            raise UsageError(f"The parameter {name}={value!r} contains {found}, which is not allowed there.")


def _unwanted(text: str, characters: set[str]) -> str:
    """Name the first character that is not wanted, or that is not printable; '' when all are fine."""
    found = next((c for c in text if c in characters or not c.isprintable()), "")
    return repr(found) if found else ""
