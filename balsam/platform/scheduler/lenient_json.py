"""Read JSON that is not quite JSON: with escapes that there are not, line ends in texts, or without an end.

PBS writes what users have in names and environments as it is: https://github.com/openpbs/openpbs/issues/2541
"""

import json
import re
from collections.abc import Iterator
from typing import Any

__all__ = ["decode", "salvage"]

_ESCAPE = re.compile(r'\\(["\\/bfnrt]|u[0-9a-fA-F]{4})?')
#: The environment of a batch job, in which all the trouble is and nothing of interest.
_ENVIRONMENT = '"Variable_List":{'


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object; raises ValueError where it says two things of one name: nobody knows which holds."""
    found = dict(pairs)
    if len(found) < len(pairs) and any(found[name] != value for name, value in pairs):
        raise ValueError("one name, two values")
    return found


_DECODER = json.JSONDecoder(strict=False, object_pairs_hook=_object)


def decode(text: str) -> dict[str, Any] | None:
    """Return the one object of a text, words around it or not; None when it cannot be read to its end."""
    for candidate in _readings(text):
        start = candidate.find("{")
        if start < 0:
            return None
        try:
            found, end = _DECODER.raw_decode(candidate, start)
        except (ValueError, RecursionError):
            continue
        has_more = '":' in candidate[end:]  # it ended before its end
        return found if isinstance(found, dict) and not has_more else None
    return None


def salvage(text: str, start: re.Pattern[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give the objects of a broken text that can be read, each with group 1 of what stands before it.

    ``start`` ends with the brace that opens an object. Takes linear time, whatever the text.
    """
    text = _escaped(_without_environment(text))
    position = 0
    while (match := start.search(text, position)) is not None:
        try:
            found, position = _DECODER.raw_decode(text, match.end() - 1)
        except json.JSONDecodeError as error:
            position = max(match.end(), error.pos)
            continue
        except (ValueError, RecursionError):
            position = match.end()
            continue
        if isinstance(found, dict):
            yield match[1], found


def _readings(text: str) -> Iterator[str]:
    yield text
    yield _escaped(text)
    yield _escaped(_without_environment(text))


def _escaped(text: str) -> str:
    """Double each backslash that begins no escape of JSON."""
    return _ESCAPE.sub(lambda match: match[0] if match[1] else r"\\", text)


def _without_environment(text: str) -> str:
    """Leave environments out, where each variable has lines of its own."""
    kept, is_inside = [], False
    for line in text.split("\n"):
        words = "".join(line.split())
        if is_inside:
            is_inside = words not in ("}", "},")
        elif words == _ENVIRONMENT:
            is_inside = True
        else:
            kept.append(line)
    return _COMMA.sub(r"\1", "\n".join(kept))


#: Left where the environment was the last attribute.
_COMMA = re.compile(r",(\s*\})")
