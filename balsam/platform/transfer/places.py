"""Read where files come from and go to: addresses of the database generation, and locations of sites.

Nothing that looks like an option of a program is ever taken for a host.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from urllib.parse import parse_qsl, unquote

from balsam.exceptions import UsageError
from balsam.platform.transfer.contract import Place
from balsam.platform.transfer.registry import known_transports

__all__ = ["parse_address", "parse_location"]

#: A host, or an alias of the user's ssh configuration.
_HOST = r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?"
_USER = r"[A-Za-z0-9_][A-Za-z0-9_.+-]*"
_SIX = r"\[(?P<six>[0-9A-Fa-f:.%]+)\]"
#: What stands before the first colon names a transport, unless it is part of a path.
_TRANSPORT = re.compile(r"([^/~:\s]*):(.*)", re.DOTALL)
_LIKE_SCP = re.compile(rf"(?:(?P<user>{_USER})@)?(?:{_SIX}|(?P<host>{_HOST})):(?P<path>.*)", re.DOTALL)
_LIKE_URL = re.compile(
    rf"//(?:(?P<user>{_USER})@)?(?:{_SIX}|(?P<host>{_HOST}))(?::(?P<port>\d+))?(?P<path>/.*)?", re.DOTALL
)
_ON_THIS_MACHINE = ("local", "link")
_OVER_SSH = ("scp", "rsync")
_OVER_HTTP = ("http", "https")
#: transport -> how a host of it is named, and what an address of it looks like: its path is taken as it is.
_NAMED: Mapping[str, tuple[re.Pattern[str], str]] = {
    "globus": (
        re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"),
        "globus://ENDPOINT_UUID/PATH",
    ),
    "s3": (re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*[A-Za-z0-9]"), "s3://BUCKET/KEY"),
}
#: transport -> options that a location of it may have at its end: ``?NAME=VALUE&NAME=VALUE``.
_OPTIONS: Mapping[str, Collection[str]] = {"s3": ("endpoint_url", "profile", "region")}


def parse_address(text: str) -> Place:
    """Read the address of files; a bare path is one of this machine. Raises UsageError."""
    found = _TRANSPORT.fullmatch(text)
    if found is None:
        return Place("local", path=_path(text, text))
    transport, rest = found[1].lower(), found[2]
    if transport in _ON_THIS_MACHINE:
        return Place(transport, path=_path(text, rest.removeprefix("//") if rest[:3] == "///" else rest))
    if transport not in known_transports():
        raise _unknown(text, found[1])
    if transport in _NAMED:
        return _named(text, transport, rest)
    if transport not in (*_OVER_SSH, *_OVER_HTTP):
        return Place(transport, path=_path(text, rest))
    parts = (_LIKE_URL if rest.startswith("//") else _LIKE_SCP).fullmatch(rest)
    if parts is None or (transport in _OVER_HTTP and not rest.startswith("//")):
        how = "//HOST/PATH" if transport in _OVER_HTTP else "[USER@]HOST:PATH"
        raise UsageError(f"Cannot read the address {text!r}. Write {transport}:{how}.")
    named = parts.groupdict()
    path = named["path"] or ""
    if transport in _OVER_SSH and rest.startswith("//"):
        path = unquote(path)
    return Place(
        transport,
        named["six"] or named["host"] or "",
        named["user"] or "",
        int(named.get("port") or 0),
        _path(text, path),
    )


def parse_location(alias: str, text: str) -> Place:
    """Read what an alias of a site stands for, ``protocol://place``; its path bounds those of transfers."""
    plain = text
    options: tuple[tuple[str, str], ...] = ()
    try:
        if (transport := text.partition(":")[0]) in _OPTIONS:
            plain, options = _with_options(text, _OPTIONS[transport])
        if re.fullmatch(r"(local|link):(//)?", text):
            return Place(text.partition(":")[0])
        if re.fullmatch(rf"({'|'.join((*_OVER_SSH, *_OVER_HTTP, *_NAMED))})://[^/]*", plain):
            plain += "/"
        place = replace(parse_address(plain), options=options)
    except UsageError as error:
        raise UsageError(
            f"The transfer location {alias!r} is {text!r}: {error} "
            "Correct transfers.transfer_locations in the settings.yml of the site."
        ) from error
    if place.transport in (*_ON_THIS_MACHINE, *_OVER_SSH) and not place.path.startswith("/"):
        raise UsageError(f"The transfer location {alias!r} is {text!r}: its path is not absolute.")
    return place


def _with_options(text: str, known: Collection[str]) -> tuple[str, tuple[tuple[str, str], ...]]:
    plain, _, query = text.partition("?")
    try:
        options = tuple(parse_qsl(query, strict_parsing=bool(query)))
    except ValueError as error:
        raise UsageError(f"Its options cannot be read: {error}. Write ?NAME=VALUE&NAME=VALUE.") from error
    for name, _ in options:
        if name not in known:
            raise UsageError(f"It has no option {name!r}, only {', '.join(known)}.")
    return plain, options


def _named(text: str, transport: str, rest: str) -> Place:
    names, form = _NAMED[transport]
    host, slash, path = rest.removeprefix("//").partition("/")
    if not (rest.startswith("//") and slash and names.fullmatch(host)):
        raise UsageError(f"Cannot read the address {text!r}. Write {form}.")
    return Place(transport, host, path=_path(text, f"/{path}"))


def _path(text: str, path: str) -> str:
    if not path:
        raise UsageError(f"The address {text!r} has no path after the colon. Write `local:PATH`.")
    if "\0" in path or "\n" in path or "\r" in path:
        raise UsageError(f"The address {text!r} has a line break or a NUL in its path.")
    return path


def _unknown(text: str, transport: str) -> UsageError:
    if "@" in transport:
        return UsageError(f"{text!r} names no transport. Write scp:{text} or rsync:{text}.")
    if transport.lower() in ("gsiftp", "gridftp"):
        return UsageError(
            f"Cannot move {text!r}: there is no GridFTP here. Write scp:[USER@]HOST:PATH or "
            "rsync:[USER@]HOST:PATH, or give the job's application a slot and the site a location for it."
        )
    known = ", ".join(sorted(known_transports()))
    return UsageError(
        f"Cannot move {text!r}: there is no transport {transport!r}, only {known}. Write `local:PATH` for a "
        "path of this machine with a colon in it, `scp:[USER@]HOST:PATH` for another machine."
    )
