"""Files from web servers: what was cut off is gone on from, and compared with its length and checksum.

A checksum is asked for at the end of the address: ``…#sha256=HEX``.
"""

import hashlib
import os
import posixpath
import re
from urllib.parse import quote, unquote, urlsplit

from balsam.exceptions import StepError
from balsam.platform.transfer import Batch, Desk, Move, Place

__all__ = ["ByHttp"]

_CHECKSUM = re.compile(r"#(sha256|sha512|md5)=([0-9A-Fa-f]+)\Z")
#: Answers that may be others later.
_PASSING = (408, 425, 429)


class ByHttp:
    """``https://HOST/PATH``."""

    def carry(self, batch: Batch, desk: Desk) -> None:
        """Fetch one file after the other, over kept connections."""
        if batch.direction == "out":
            raise StepError("Files are only brought in over http, not taken out.")
        import httpx

        with httpx.Client(follow_redirects=True, timeout=httpx.Timeout(60.0, connect=20.0)) as client:
            for move in batch.moves:
                desk.check()
                path, checksum = _split(move.remote)
                try:
                    self._fetch(client, _url(batch.place, path), move, path, checksum, desk)
                except httpx.HTTPError as error:
                    desk.failed(move, f"{error or type(error).__name__}", is_final=False)

    def _fetch(
        self, client: "object", url: str, move: Move, path: str, checksum: tuple[str, str], desk: Desk
    ) -> None:
        import httpx

        assert isinstance(client, httpx.Client)
        part = os.path.join(desk.scratch, hashlib.sha256(url.encode()).hexdigest())
        have = _resumable(part)
        headers = {"Accept-Encoding": "identity"}
        if have:
            headers |= {"Range": f"bytes={have[0]}-", "If-Range": have[1]}
        with client.stream("GET", url, headers=headers) as answer:
            if answer.status_code == 416:
                os.unlink(part)
            if answer.is_error:
                final = answer.status_code < 500 and answer.status_code not in (*_PASSING, 416)
                desk.failed(move, f"{url}: {answer.status_code} {answer.reason_phrase}", is_final=final)
                return
            goes_on = answer.status_code == 206
            _keep_mark(part, answer.headers)
            before = have[0] if have and goes_on else 0
            expected = _length(answer.headers, before)
            with open(part, "ab" if goes_on else "wb") as file:
                for chunk in answer.iter_raw():
                    desk.check()
                    file.write(chunk)
                    desk.progress(move, before + answer.num_bytes_downloaded, expected or 0)
        problem = _problem(part, expected, checksum)
        if problem:
            os.unlink(part)
            desk.failed(move, f"{url}: {problem}", is_final=False)
            return
        name = posixpath.basename(unquote(urlsplit(url).path).rstrip("/")) or "index.html"
        named = os.path.join(desk.scratch, str(move.item_id))
        os.makedirs(named, exist_ok=True)
        os.replace(part, os.path.join(named, name))
        desk.arrived(move, [os.path.join(named, name)])


def _split(path: str) -> tuple[str, tuple[str, str]]:
    """Take the checksum off the end of a path."""
    found = _CHECKSUM.search(path)
    return (path[: found.start()], (found[1], found[2].lower())) if found else (path, ("", ""))


def _url(place: Place, path: str) -> str:
    host = f"[{place.host}]" if ":" in place.host else place.host
    port = f":{place.port}" if place.port else ""
    return f"{place.transport}://{host}{port}{quote(path, safe='/%?&=+,;:@~!$()*')}"


def _resumable(part: str) -> tuple[int, str] | None:
    """Return how much is there of a file, and the mark of its version."""
    try:
        with open(f"{part}.mark", encoding="utf-8") as mark:
            size, text = os.stat(part).st_size, mark.read()
    except OSError:
        return None
    return (size, text) if size and text else None


def _keep_mark(part: str, headers: "object") -> None:
    get = headers.get  # type: ignore[attr-defined]
    etag = get("etag", "")
    mark = etag if etag and not etag.startswith("W/") else get("last-modified", "")
    with open(f"{part}.mark", "w", encoding="utf-8") as file:
        file.write(mark)


def _length(headers: "object", before: int) -> int | None:
    told = headers.get("content-length")  # type: ignore[attr-defined]
    return before + int(told) if told is not None and told.isdecimal() else None


def _problem(part: str, expected: int | None, checksum: tuple[str, str]) -> str:
    size = os.stat(part).st_size
    if expected is not None and size != expected:
        return f"{size} bytes came, and {expected} were to"
    if checksum[0]:
        with open(part, "rb") as file:
            found = hashlib.file_digest(file, checksum[0]).hexdigest()
        if found != checksum[1]:
            return f"its {checksum[0]} is {found}, and was to be {checksum[1]}"
    return ""
