"""Make frozen dataclasses of what a file says: unknown keys and wrong types are errors with the line.

A field may have ``metadata`` with ``at_least``, or ``one_of``.
"""

import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any

from balsam.config.yaml_file import Place, YamlFile

__all__ = ["build"]

_TYPE_NAMES = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}


def build(found: YamlFile, cls: type, values: object, place: Place = ()) -> Any:
    """Make an object of ``cls`` from a mapping at this place of the file; raises InvalidSettings."""
    if not isinstance(values, Mapping):
        raise found.error(place, f"{'.'.join(place)} is {values!r}, and no mapping of the form `name: value`")
    known: dict[str, Field[Any]] = {field.name: field for field in fields(cls)}
    for key in values:
        if key not in known:
            raise found.unknown((*place, str(key)), known)
    hints = typing.get_type_hints(cls)
    for name, field in known.items():
        if name not in values and field.default is MISSING and field.default_factory is MISSING:
            raise found.error(place, f"{'.'.join(place)} does not set {name}", f"Add `{name}: …`.")
    checked = {}
    for key, value in values.items():
        here = (*place, str(key))
        checked[key] = _checked(found, hints[key], value, here)
        _check_bounds(found, known[key], checked[key], here)
    return cls(**checked)


def _checked(found: YamlFile, hint: Any, value: Any, place: Place) -> Any:
    """Return a value as its type wants it; raises InvalidSettings."""
    arguments = typing.get_args(hint)
    origin = typing.get_origin(hint)
    if origin is types.UnionType:
        if value is None:
            return None
        return _checked(found, next(arg for arg in arguments if arg is not type(None)), value, place)
    if is_dataclass(hint) and isinstance(hint, type):
        return build(found, hint, value, place)
    if origin is tuple:
        if not isinstance(value, list):
            raise _wrong(found, place, value, "a list")
        return tuple(_checked(found, arguments[0], item, place) for item in value)
    if origin is not None:  # a mapping
        if not isinstance(value, Mapping):
            raise _wrong(found, place, value, "a mapping of the form `name: value`")
        return {
            str(key): _checked(found, arguments[1], item, (*place, str(key))) for key, item in value.items()
        }
    return _scalar(found, hint, value, place)


def _scalar(found: YamlFile, hint: type, value: Any, place: Place) -> Any:
    if hint is str and isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)  # `level: 10`, or a tag that looks like a number
    accepted = (int, float) if hint is float else hint
    if not isinstance(value, accepted) or (isinstance(value, bool) and hint is not bool):
        raise _wrong(found, place, value, _TYPE_NAMES[hint])
    return value


def _check_bounds(found: YamlFile, field: "Field[Any]", value: Any, place: Place) -> None:
    name = ".".join(place)
    least = field.metadata.get("at_least")
    if least is not None and value is not None and not value >= least:
        raise found.error(place, f"{name} is {value!r}, which is less than {least}")
    choices = field.metadata.get("one_of")
    if choices and value is not None and value not in choices:
        raise found.error(place, f"{name} is {value!r}, which is none of {', '.join(choices)}")


def _wrong(found: YamlFile, place: Place, value: object, wanted: str) -> Exception:
    return found.error(place, f"{'.'.join(place)} is {value!r}, which is not {wanted}")
