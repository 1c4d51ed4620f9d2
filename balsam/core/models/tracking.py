"""Make rows into objects fast, and know which columns were changed since they were read or saved.

A column counts as changed when its value differs from the one in the database; JSON columns are compared as
text, so that a change in place is seen too.
"""

import json
from collections.abc import Callable, Collection, Iterable
from difflib import get_close_matches
from functools import cache
from typing import Any, NamedTuple, Self

from django.db import models
from django.db.models.base import ModelState
from django.db.models.signals import post_init, pre_init

from balsam.exceptions import UnknownFieldError

#: The original of a column that had not been read.
_UNREAD = object()
_NO_TEXTS: dict[str, str] = {}


class _Columns(NamedTuple):
    """What making an object of a model takes, by attribute name."""

    names: frozenset[str]
    #: Defaults that are one constant.
    constants: dict[str, Any]
    #: What makes the other defaults.
    makers: dict[str, Callable[[], Any]]
    json: tuple[str, ...]


@cache
def _columns_of(model: type[models.Model]) -> _Columns:
    fields = model._meta.concrete_fields
    makers = {f.attname: f.default for f in fields if callable(f.default) and f.has_default()}
    return _Columns(
        names=frozenset(f.attname for f in fields),
        constants={f.attname: f.get_default() for f in fields if f.attname not in makers},
        makers=makers,
        json=tuple(f.attname for f in fields if isinstance(f, models.JSONField)),
    )


def _text(value: Any) -> str:
    """Return what to compare a JSON value by; one that is no JSON equals nothing in the database."""
    try:
        return json.dumps(value) if value else repr(value)
    except (TypeError, ValueError, RecursionError):
        return ""


class TrackedModel(models.Model):
    """A model that knows what was changed, and whose wide rows become objects without Django's loop.

    Django's own constructor visits every field of every object: 50 µs for the columns of a job. Where nobody
    listens to its signals, the columns are set as one dict instead.
    """

    #: Column -> value in the database, for columns assigned since.
    _originals: dict[str, Any]
    #: JSON column -> text of its value in the database, unless that is ``{}``.
    _json_originals = _NO_TEXTS

    class Meta:
        abstract = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        columns = _columns_of(type(self))
        if args or not kwargs.keys() <= columns.names or _are_signals_used():
            refuse_unknown(type(self), kwargs)
            super().__init__(*args, **kwargs)
            self.__dict__.pop("_originals", None)
            return
        values = self.__dict__
        values["_state"] = ModelState()
        values.update(columns.constants)
        values.update(kwargs)
        for name, make in columns.makers.items():
            if name not in kwargs:
                values[name] = make()

    @classmethod
    def from_db(
        cls, db: str | None, field_names: Collection[str], values: Collection[Any], **state: Any
    ) -> Self:
        """Make an object of a row; columns that were not read are read when they are asked for."""
        if _are_signals_used():
            job = super().from_db(db, field_names, values, **state)
        else:
            job = cls.__new__(cls)
            job.__dict__.update(zip(field_names, values, strict=True))
            job._state = ModelState()
            job._state.__dict__.update(state, adding=False, db=db)
        job.remember_saved()
        return job

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _columns_of(type(self)).names:
            values = self.__dict__
            originals = values.setdefault("_originals", {})
            originals.setdefault(name, values.get(name, _UNREAD))
        super().__setattr__(name, value)

    def remember_saved(self) -> None:
        """Take the present values for those of the database."""
        values = self.__dict__
        values.pop("_originals", None)
        values.pop("_json_originals", None)
        texts = {name: _text(values[name]) for name in _columns_of(type(self)).json if values.get(name)}
        if texts:
            values["_json_originals"] = texts

    def remember_columns(self, names: Iterable[str]) -> None:
        """Take the present values of these columns for those of the database."""
        values, known = self.__dict__, set(names)
        values["_originals"] = {n: old for n, old in values.get("_originals", {}).items() if n not in known}
        loaded = known.intersection(_columns_of(type(self)).json, values)
        if loaded:
            values["_json_originals"] = {**self._json_originals, **{n: _text(values[n]) for n in loaded}}

    def changed_columns(self) -> set[str]:
        """Names (attribute names) of the columns whose value differs from the one read or last saved."""
        values = self.__dict__
        originals: dict[str, Any] = values.get("_originals", {})
        json_columns = _columns_of(type(self)).json
        changed = {
            name
            for name, old in originals.items()
            if old is _UNREAD or (name not in json_columns and values.get(name) != old)
        }
        for name in json_columns:
            if name in values and _text(values[name]) != self._json_originals.get(name, "{}"):
                changed.add(name)
        return changed

    def original(self, name: str) -> Any:
        """Return the value of a column as read or last saved."""
        return self.__dict__.get("_originals", {}).get(name, getattr(self, name))


def _are_signals_used() -> bool:
    """Say whether somebody wants to know when an object of some model is made."""
    return bool(pre_init.receivers or post_init.receivers)


def refuse_unknown(model: type[models.Model], names: Iterable[str]) -> None:
    """Raise UnknownFieldError, with close names, for the first name that is no field of the model."""
    columns = {name for field in model._meta.fields for name in (field.name, field.attname)}
    settable = columns | set(model._meta._property_names)  # type: ignore[attr-defined]
    for name in names:
        if name not in settable:
            near = get_close_matches(name, sorted(columns), n=3)
            hint = f"Did you mean {' or '.join(near)}?" if near else f"Fields: {', '.join(sorted(columns))}."
            raise UnknownFieldError(f"{model.__name__} has no field {name!r}. {hint}")
