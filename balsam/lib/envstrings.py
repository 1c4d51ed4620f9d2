"""Environment variables as users write them: one text ``A=1:B=2``, a dict, or a list of ``VAR=VALUE``.

What is read is always a dict of texts that an operating system accepts, and writing it loses nothing.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from balsam.exceptions import UsageError

__all__ = ["format_environ", "parse_environ"]

_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_HOW = (
    "Write A=1:B=2; values that hold a ':' are given as a dict or JSON object, "
    'as in {"A": "x:y"}, or as a list of VAR=VALUE.'
)


def parse_environ(value: Mapping[str, Any] | Iterable[str] | str | None) -> dict[str, str]:
    """Read environment variables in any of their forms; nothing at all is an empty dict.

    A text is split at each ``:``, and each part at its first ``=``; blanks around names and empty parts are
    dropped, and names consist of letters, digits and ``_``. A text that begins with ``{`` is a JSON object.
    Numbers become texts. Raises UsageError for anything else.
    """
    if not value:
        return {}
    if isinstance(value, str):
        return _parse_json(value) if value.lstrip().startswith("{") else _parse_colons(value)
    if isinstance(value, Mapping):
        return {_name(name): _value(name, content) for name, content in value.items()}
    if isinstance(value, Iterable):
        return dict(_parse_pair(pair) for pair in value)
    raise _unreadable(value, f"it is a {type(value).__name__}")


def format_environ(environ: Mapping[str, str]) -> str:
    """Write variables so that `parse_environ` reads them back: ``A=1:B=2``, or JSON where need be."""
    if all(_PLAIN_NAME.fullmatch(name) and ":" not in value for name, value in environ.items()):
        return ":".join(f"{name}={value}" for name, value in environ.items())
    return json.dumps(dict(environ), ensure_ascii=False)


def _parse_colons(text: str) -> dict[str, str]:
    environ = {}
    for part in text.split(":"):
        if not part.strip():
            continue
        name, equals, content = part.partition("=")
        if not equals or not _PLAIN_NAME.fullmatch(name.strip()):
            raise _unreadable(text, f"{_shown(part)} is not VAR=VALUE")
        environ[name.strip()] = _value(name, content)
    return environ


def _parse_json(text: str) -> dict[str, str]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise _unreadable(text, f"it begins as JSON and is none ({error})") from error
    return parse_environ(found)


def _parse_pair(pair: object) -> tuple[str, str]:
    if not isinstance(pair, str) or "=" not in pair:
        raise _unreadable(pair, "it is not VAR=VALUE")
    name, _, content = pair.partition("=")
    return _name(name), _value(name, content)


def _name(name: object) -> str:
    if not isinstance(name, str) or not name or "=" in name or "\0" in name:
        raise _unreadable(name, "a variable's name is a text without '='")
    return name


def _value(name: object, content: object) -> str:
    if not isinstance(content, str | int | float):
        raise _unreadable(content, f"the value of {name} is a {type(content).__name__}, not a text or number")
    text = str(content)
    if "\0" in text:
        raise _unreadable(text, f"the value of {name} holds a NUL character")
    return text


def _unreadable(value: object, why: str) -> UsageError:
    return UsageError(f"Cannot read environment variables from {_shown(value)}: {why}. {_HOW}")


def _shown(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 100 else shown[:100] + "..."
