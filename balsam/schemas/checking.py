"""Check what is sent against the table of resources; both ends do, so a mistake is told where it is made.

Values come out as they are kept: times aware and in UTC, texts for the values of tags, copies of defaults.
"""

import difflib
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Any

from balsam.exceptions import UnknownFieldError, UsageError
from balsam.schemas.fields import Field, Record, Resource
from balsam.schemas.resources import Query
from balsam.states import STATES

__all__ = ["check_create", "check_query", "check_update"]


def check_create(resource: Resource, record: Mapping[str, Any]) -> Record:
    """Return a new object, complete with defaults.

    Raises UnknownFieldError with a close name, UsageError for a missing field or an impossible value.
    """
    fields = resource.creatable
    _refuse_unknown(resource, record, fields, "made with")
    for name in resource.required:
        if record.get(name) is None:
            raise UsageError(f"A {resource.name} needs {name}; give {name}=….")
    checked = resource.defaults()
    for name, value in record.items():
        is_default = type(value) is type(checked[name]) and value == checked[name]  # of many objects, most
        if value is not None and not is_default:
            checked[name] = _checked(resource, name, fields[name], value)
    return checked


def check_update(resource: Resource, patch: Mapping[str, Any]) -> Record:
    """Return the changes; raises UnknownFieldError for what cannot be changed, UsageError for a bad value."""
    fields = resource.changeable
    _refuse_unknown(resource, patch, fields, "changed in")
    return {
        name: None if value is None else _checked(resource, name, fields[name], value)
        for name, value in patch.items()
    }


def check_query(resource: Resource, query: Query) -> Query:
    """Return the query with values as they are compared; raises UnknownFieldError, UsageError."""
    _refuse_unknown(resource, query.filters, resource.filters, "found by")
    order = query.order_by or resource.order_by
    if order.lstrip("-") not in (*resource.orders, resource.order_by.lstrip("-")):
        raise UsageError(f"A {resource.name} cannot be ordered by {order!r}: {', '.join(resource.orders)}.")
    if query.offset < 0 or (query.limit is not None and query.limit < 0):
        raise UsageError(f"limit {query.limit} and offset {query.offset} cannot be negative.")
    filters = {}
    for name, value in query.filters.items():
        rule = resource.filters[name]
        values = list(_each(value)) if rule.many else [value]
        checked = [_converted(resource, name, rule.kind, item) for item in values]
        filters[name] = checked if rule.many else checked[0]
    return replace(query, filters=filters, order_by=order)


def _each(value: Any) -> Iterable[Any]:
    if isinstance(value, Mapping):
        return (f"{key}:{item}" for key, item in value.items())
    if isinstance(value, list | tuple | set | frozenset):
        return value
    return (value,)


def _refuse_unknown(resource: Resource, given: Iterable[str], known: Mapping[str, object], how: str) -> None:
    for name in given:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            meant = f" Did you mean {close[0]!r}?" if close else f" It can be: {', '.join(known)}."
            raise UnknownFieldError(f"{name!r} is nothing a {resource.name} is {how}.{meant}")


def _checked(resource: Resource, name: str, field: Field, value: Any) -> Any:
    converted = _converted(resource, name, field.kind, value)
    if field.minimum is not None and not converted >= field.minimum:
        raise UsageError(f"{name} of a {resource.name} is {value!r}; it must be {field.minimum:g} or more.")
    if field.choices and converted not in field.choices:
        raise UsageError(f"{name} of a {resource.name} is {value!r}; it can be {' or '.join(field.choices)}.")
    if field.max_length is not None and len(converted) > field.max_length:
        raise UsageError(
            f"{name} of a {resource.name} has {len(converted)} characters; at most {field.max_length} fit."
        )
    return converted


def _converted(resource: Resource, name: str, kind: str, value: Any) -> Any:
    try:
        return _CONVERTERS[kind](value)
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        raise UsageError(f"{name} of a {resource.name} cannot be {value!r}: {error}.") from error


def _int(value: Any) -> int:
    if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
        raise ValueError("it must be a whole number")
    return int(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("it must be a text")
    if "\0" in value:
        raise ValueError("it holds a NUL character")
    return value


def _tag(value: Any) -> str:
    if ":" not in _text(value):
        raise ValueError("it must be KEY:VALUE")
    return str(value)


def _word(value: Any) -> str:
    return _text(str(value) if isinstance(value, int) and not isinstance(value, bool) else value)


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError("it must be True or False")
    return value


def _time(value: Any) -> datetime:
    """Read a time; a naive one is UTC."""
    found = datetime.fromisoformat(value) if isinstance(value, str) else value
    if not isinstance(found, datetime):
        raise TypeError("it must be a time")
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _state(value: Any) -> str:
    text = str(value)
    if text not in STATES and text != "STAGED_OUT":
        close = difflib.get_close_matches(text, STATES, n=1)
        raise ValueError(f"it is no state{f'; did you mean {close[0]}?' if close else ''}")
    return text


def _texts(value: Any) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise TypeError("it must be a dict")
    return {_text(str(key)): _text(str(item)) for key, item in value.items()}


def _json(value: Any) -> Any:
    if not isinstance(value, Mapping):
        raise TypeError("it must be a dict")
    return dict(value)


def _list(value: Any) -> list[Any]:
    if isinstance(value, str | bytes | Mapping):
        raise TypeError("it must be a list")
    return list(value)


def _ids(value: Any) -> list[int]:
    return sorted({_int(item) for item in _list(value)})


_CONVERTERS: Mapping[str, Callable[[Any], Any]] = {
    "int": _int,
    "float": float,
    "text": _text,
    "tag": _tag,
    "path": lambda value: _text(str(value) if isinstance(value, PurePath) else value),
    "word": _word,
    "flag": _flag,
    "time": _time,
    "uuid": lambda value: str(uuid.UUID(str(value))),
    "state": _state,
    "json": _json,
    "texts": _texts,
    "list": _list,
    "ids": _ids,
}
