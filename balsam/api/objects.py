"""What all objects of the Python API have in common: fields, changes that are noticed, and saving them.

An object is *creating* until it is saved, *clean* when it is as the server has it, and *dirty* when a field
was assigned, or a dict or list in it was changed in place: saving sends exactly what is different.
"""

import difflib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import Any, ClassVar, Self

from balsam.api.connection import client
from balsam.exceptions import AmbiguousError, NotFoundError, RefusedError, UnknownFieldError, UsageError
from balsam.schemas.checking import check_create, check_update
from balsam.schemas.fields import Record, Resource
from balsam.schemas.resources import Query

__all__ = ["Model"]

_CONTAINERS = frozenset((dict, list, set))
_READ_KINDS = ("time", "ids")


class Model:
    """One object. Its fields are attributes; names in the constructor are checked."""

    _resource: ClassVar[Resource]
    #: Fields that the constructor takes by position.
    _positional: ClassVar[tuple[str, ...]] = ()
    #: Constructor keywords that are no fields, resolved by `_resolve`.
    _extra_keywords: ClassVar[tuple[str, ...]] = ()
    #: Texts that are paths.
    _paths: ClassVar[frozenset[str]] = frozenset()
    #: Times that come back aware; others are naive UTC.
    _aware_times: ClassVar[frozenset[str]] = frozenset()

    #: Fields whose values are not as they come, and of what kind they are.
    _read_otherwise: ClassVar[tuple[tuple[str, str], ...]]

    DoesNotExist: ClassVar[type[NotFoundError]] = NotFoundError
    MultipleObjectsReturned: ClassVar[type[AmbiguousError]] = AmbiguousError

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        kinds = ((name, field.kind) for name, field in cls._resource.fields.items())
        cls._read_otherwise = tuple((name, kind) for name, kind in kinds if kind in _READ_KINDS)
        for name, base in (("DoesNotExist", NotFoundError), ("MultipleObjectsReturned", AmbiguousError)):
            text = {"__doc__": f"{base.__doc__} ({cls.__name__})", "__module__": cls.__module__}
            setattr(cls, name, type(name, (base,), {**text, "__qualname__": f"{cls.__name__}.{name}"}))

    def __init__(self, *args: Any, **fields: Any) -> None:
        if not self._resource.verbs & {"create"}:
            raise AttributeError(f"{type(self).__name__} is read-only: only the server makes it.")
        if len(args) > len(self._positional):
            raise TypeError(f"{type(self).__name__} takes {', '.join(self._positional)} by position.")
        for name, value in zip(self._positional, args, strict=False):
            if name in fields:
                raise TypeError(f"{type(self).__name__} got {name} twice.")
            fields[name] = value
        known = self._resource.creatable
        for name in fields:
            if name not in known and name not in self._extra_keywords:
                raise UnknownFieldError(_unknown(type(self).__name__, name, [*known, *self._extra_keywords]))
        self.__dict__["_sent"] = None
        self.__dict__["_values"] = check_create(self._resource, self._resolve(fields))

    def _resolve(self, fields: dict[str, Any]) -> Record:
        """Turn what people write in the constructor into what the server takes."""
        return fields

    @classmethod
    def _from_record(cls, record: Record) -> Self:
        """Make the object for a record of the server's."""
        made = cls.__new__(cls)
        made._take(record)
        return made

    def _take(self, record: Record) -> None:
        values: Record = {name: record.get(name) for name in self._resource.fields}
        for name, kind in self._read_otherwise:
            values[name] = _read(kind, values[name], aware=name in self._aware_times)
        for name in self._paths:
            values[name] = Path(values[name])
        self.__dict__["_values"] = values
        self.__dict__["_sent"] = _copied(values)

    # -- fields --------------------------------------------------------------------------------------

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if name in self._resource.fields:
            return self.__dict__["_values"].get(name)
        raise AttributeError(_unknown(type(self).__name__, name, list(self._resource.fields)))

    def __setattr__(self, name: str, value: Any) -> None:
        field = self._resource.fields.get(name)
        if isinstance(getattr(type(self), name, None), property) or (field is None and name.startswith("_")):
            object.__setattr__(self, name, value)
            return
        if field is None:
            raise AttributeError(_unknown(type(self).__name__, name, list(self._resource.fields)))
        self._require_writable(name)
        self.__dict__["_values"][name] = value

    def _require_writable(self, name: str) -> None:
        """Raise AttributeError for a field that cannot be written now."""
        field = self._resource.fields[name]
        if not self._resource.verbs & {"update", "create"}:
            raise AttributeError(f"{type(self).__name__} is read-only.")
        if not (field.create if self._is_new else field.update):
            when = "before it is saved" if self._is_new else "after it was saved"
            raise AttributeError(f"{name} of a {type(self).__name__} cannot be set {when}.")

    @property
    def _is_new(self) -> bool:
        return self.__dict__["_sent"] is None

    @property
    def _state(self) -> str:
        """creating, clean or dirty."""
        if self._is_new:
            return "creating"
        return "dirty" if self._changes() else "clean"

    def _changes(self) -> Record:
        self._settle()
        sent, values = self.__dict__["_sent"], self.__dict__["_values"]
        return {name: values[name] for name in self._resource.fields if values.get(name) != sent.get(name)}

    def _settle(self) -> None:
        """Bring the values up to date with what was read from them and changed in place."""

    # -- what can be done ----------------------------------------------------------------------------

    def _new_record(self) -> Record:
        """Return what is sent to make the object; raises UsageError for values that cannot be."""
        if not self._is_new:
            raise UsageError(f"{type(self).__name__} {self.id} is there already; save() sends its changes.")
        self._require_not_deleted()
        self._settle()
        return check_create(self._resource, self.__dict__["_values"])

    def _patch(self) -> Record:
        """Return what is sent to change the object, which is empty when nothing has changed.

        Raises AttributeError for a field that stays and was changed in place, UsageError for a bad value.
        """
        self._require_saved()
        changes = self._changes()
        for name in changes:
            self._require_writable(name)
        return check_update(self._resource, changes)

    def save(self) -> None:
        """Make the object, or send what has changed; nothing when nothing has.

        Raises UsageError for values that cannot be, RefusedError when the server refuses them, its
        DoesNotExist when somebody has deleted it.
        """
        name = self._resource.name
        if self._is_new:
            self._take(client().create_resources(name, [self._new_record()])[0])
        elif patch := self._patch():
            refused = client().update_resources(name, {self.id: patch}).refused
            record = self._stored()  # which may be gone
            if refused:
                raise RefusedError(refused[self.id])
            self._take(record)

    def refresh_from_db(self) -> None:
        """Read the object again; raises its DoesNotExist when it is gone."""
        self._require_saved()
        self._take(self._stored())

    def _stored(self) -> Record:
        found = client().list_resources(self._resource.name, Query(filters={"id": [self.id]})).results
        if not found:
            raise self.DoesNotExist(f"{type(self).__name__} {self.id} has been deleted.")
        return found[0]

    def delete(self) -> None:
        """Delete the object; its ``id`` is None then. Raises RefusedError for a job that somebody holds."""
        if "delete" not in self._resource.verbs:
            raise NotImplementedError(f"{type(self).__name__}s cannot be deleted.")
        self._require_saved()
        reply = client().delete_resources(self._resource.name, Query(filters={"id": [self.id]}))
        for reason in reply.refused.values():
            raise RefusedError(reason)
        self.__dict__["_values"]["id"] = None
        self.__dict__["_sent"] = None
        self.__dict__["_is_deleted"] = True

    def _require_saved(self) -> None:
        self._require_not_deleted()
        if self._is_new:
            raise UsageError(f"The {type(self).__name__} has not been saved yet: call save() first.")

    def _require_not_deleted(self) -> None:
        if self.__dict__.get("_is_deleted"):
            raise self.DoesNotExist(f"The {type(self).__name__} has been deleted.")

    # -- how it looks --------------------------------------------------------------------------------

    def display_dict(self) -> Record:
        """Return the fields as JSON can hold them; of a new object, those too that are not read back."""
        values = self.__dict__["_values"]
        return {
            name: _shown(values.get(name))
            for name, field in self._resource.fields.items()
            if field.read or (self._is_new and values.get(name))
        }

    def __str__(self) -> str:
        import yaml

        text: str = yaml.safe_dump(self.display_dict(), sort_keys=False, allow_unicode=True)
        return text

    def __repr__(self) -> str:
        shown = ", ".join(
            f"{name}={value!r}"
            for name, value in self.display_dict().items()
            if value not in (None, {}, [], "")
        )
        return f"{type(self).__name__}({shown})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, type(self)) or type(self) is not type(other):
            return NotImplemented
        both_clean = self._state == other._state == "clean"
        return self is other or (both_clean and self.__dict__["_values"] == other.__dict__["_values"])

    __hash__ = object.__hash__


def _copied(values: Any) -> Any:
    """Copy a dict, list or set with those in it, faster than `copy.deepcopy`, which knows more kinds."""
    copied = values.copy()
    if type(values) is dict:
        for name, value in values.items():
            if type(value) in _CONTAINERS:
                copied[name] = _copied(value)
    elif type(values) is list:
        copied[:] = (_copied(value) if type(value) in _CONTAINERS else value for value in values)
    return copied


def _unknown(owner: str, name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"{owner} has no {name!r}." + (f" Did you mean {close[0]!r}?" if close else "")


def _read(kind: str, value: Any, *, aware: bool) -> Any:
    """Read a value of one of the kinds that are not as they come."""
    if kind == "ids":
        return set(value or ())
    if value is None:
        return None
    found = datetime.fromisoformat(value).astimezone(UTC)
    return found if aware else found.replace(tzinfo=None)


def _shown(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, set):
        return sorted(value)
    if isinstance(value, Mapping):
        return dict(value)
    return str(value) if isinstance(value, PurePath) else value
