"""S3, of Amazon and of others who speak it: an object is a file, and a prefix a directory.

Keys and credentials are those of the AWS configuration where this runs; nothing of them is kept.
"""

import os
import posixpath
from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import Any

from balsam.exceptions import ConfigError, StepError
from balsam.lib.beneath import relative_parts
from balsam.platform.transfer import Batch, Desk, Move, Place
from balsam.processing.transfers.s3_asking import PassingError, asking, check_whole, is_whole
from balsam.processing.transfers.sources import is_tree

__all__ = ["ByS3"]

_CONNECT_SEC = 20
_READ_SEC = 60
#: Connections of one file; several batches may be under way.
_CONCURRENCY = 4
#: Bytes of a file that is not worth dividing.
_SMALL = 8 << 20
_CHECKED = {"ChecksumMode": "ENABLED"}


class ByS3:
    """``s3://BUCKET/KEY``."""

    def carry(self, batch: Batch, desk: Desk) -> None:
        """Do one move after the other; the library divides large files."""
        bucket = _Bucket(batch.place, desk)
        for move in batch.moves:
            desk.check()
            try:
                if batch.direction == "in":
                    path = os.path.join(desk.directory_of(move), move.name)
                    bucket.bring(move, path)
                    desk.arrived(move, [path])
                else:
                    desk.sent(move, sum(bucket.send(move, local) for local in move.local))
            except PassingError as error:
                desk.failed(move, str(error), is_final=False)
            except StepError as error:
                desk.failed(move, str(error), is_final=True)


class _Bucket:
    """The objects of one bucket; raises TransferWait, PassingError, and StepError for what is final."""

    def __init__(self, place: Place, desk: Desk) -> None:
        try:
            import boto3
            from boto3.s3.transfer import TransferConfig
            from botocore.config import Config
        except ImportError as error:
            raise ConfigError(
                f"Transfers by S3 need boto3, which cannot be imported ({error}). "
                "Install it where the agent runs: `pip install 'balsam[s3]'`."
            ) from error
        options = dict(place.options)
        self._name = place.host
        self._desk = desk
        self._division = TransferConfig(max_concurrency=_CONCURRENCY)
        timeouts = {"connect_timeout": _CONNECT_SEC, "read_timeout": _READ_SEC}
        retries = {"mode": "standard", "total_max_attempts": 3}
        with asking(place.host):
            session = boto3.Session(profile_name=options.get("profile"), region_name=options.get("region"))
            self._client: Any = session.client(
                "s3", endpoint_url=options.get("endpoint_url"), config=Config(**timeouts, retries=retries)
            )

    def bring(self, move: Move, path: str) -> None:
        """Bring the object of a key; for a tree all below it, where there is any."""
        key = move.remote.lstrip("/")
        count = _Count(self._desk, move)
        if move.recursive:
            prefix = f"{key.rstrip('/')}/" if key.strip("/") else ""
            if self._bring_tree(prefix, path, count):
                return
        self._bring_file(key.rstrip("/") if move.recursive else key, path, count)

    def _bring_tree(self, prefix: str, top: str, count: "_Count") -> bool:
        is_found = False
        for key in self._keys(prefix):
            is_found = True
            path = _path_below(top, key, prefix)
            with asking(f"{self._name}/{key}"):
                os.makedirs(path if key.endswith("/") else os.path.dirname(path), exist_ok=True)
            if not key.endswith("/"):
                self._bring_file(key, path, count)
        return is_found

    def _keys(self, prefix: str) -> Iterator[str]:
        with asking(f"{self._name}/{prefix}"):
            for page in self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._name, Prefix=prefix
            ):
                yield from (found["Key"] for found in page.get("Contents", ()))

    def _bring_file(self, key: str, path: str, count: "_Count") -> None:
        self._desk.check()
        with asking(f"{self._name}/{key}"):
            found = self._client.get_object(Bucket=self._name, Key=key, **_CHECKED)
            part = os.path.join(self._desk.scratch, "part")
            with closing(found["Body"]) as body:
                if is_whole(path, found):  # an earlier try has brought it
                    return
                count.total = 0 if count.move.recursive else found["ContentLength"]
                if is_small := found["ContentLength"] <= _SMALL:
                    _write(part, body, count)
            if not is_small:
                self._client.download_file(
                    self._name, key, part, ExtraArgs=_CHECKED, Callback=count, Config=self._division
                )
            check_whole(part, found)
            os.replace(part, path)

    def send(self, move: Move, local: str) -> int:
        """Take a file or a tree out; return its bytes."""
        key = move.target_of(local).strip("/")
        count = _Count(self._desk, move)
        if not is_tree(move, local):
            count.total = os.stat(local).st_size
            return self._send_file(local, key, count)
        size = 0
        for folder, _, names in os.walk(local):
            for name in names:
                path = os.path.join(folder, name)
                size += self._send_file(path, posixpath.join(key, os.path.relpath(path, local)), count)
        return size

    def _send_file(self, path: str, key: str, count: "_Count") -> int:
        self._desk.check()
        if not os.path.isfile(path):
            raise StepError(f"{path} is no file, nor a link to one.")
        with asking(f"{self._name}/{key}"):
            self._client.upload_file(path, self._name, key, Callback=count, Config=self._division)
            head = self._client.head_object(Bucket=self._name, Key=key)
            check_whole(path, head)
        return int(head["ContentLength"])


class _Count:
    """How much of a move has come, and of how much (0: unknown); the library counts from its own threads."""

    def __init__(self, desk: Desk, move: Move) -> None:
        self.move = move
        self.total = 0
        self._desk = desk
        self._size = 0

    def __call__(self, num_bytes: int) -> None:
        """Tell the desk; raises StepInterrupted."""
        self._desk.check()
        self._size += num_bytes
        self._desk.progress(self.move, self._size, self.total)


def _write(path: str, chunks: Iterable[bytes], count: _Count) -> None:
    with open(path, "wb") as file:
        for chunk in chunks:
            file.write(chunk)
            count(len(chunk))


def _path_below(top: str, key: str, prefix: str) -> str:
    """Return where an object of a tree goes; raises StepError where its key is no path below."""
    below = key[len(prefix) :]
    try:
        parts = relative_parts(below) if below else []
    except ValueError as error:
        raise StepError(f"The key {key!r} cannot be a path: {error}.") from None
    if "//" in below or "\0" in below:
        raise StepError(f"The key {key!r} cannot be a path.")
    return os.path.join(top, *parts)
