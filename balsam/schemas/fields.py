"""What is said of a kind of object: its fields, what may be written when, its filters and orders."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

__all__ = ["Field", "Filter", "Record", "Resource"]

#: One object as it is sent: field -> JSON value.
Record = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field.

    ``kind``: int, float, text, path, flag, time, uuid, state, json, texts (a dict), list, ids.
    """

    kind: str
    #: May be given when the object is made, and later.
    create: bool = True
    update: bool = True
    #: Comes back from the server.
    read: bool = True
    required: bool = False
    default: Any = None
    minimum: float | None = None
    max_length: int | None = None
    #: The values it may have; none given: any.
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """One filter; ``many`` takes a list, of which any will do (of tags and data: all).

    ``kind`` is that of a field, or word: a text that may be written as a number.
    """

    kind: str
    many: bool = False


@dataclass(frozen=True, kw_only=True)
class Resource:
    """One kind of object. ``orders`` are what one may order by, ``order_by`` the order without wish.

    ``groups`` are the fields by whose values objects can be counted.
    """

    name: str
    #: Where a server has it.
    path: str
    fields: Mapping[str, Field]
    filters: Mapping[str, Filter]
    orders: tuple[str, ...] = ()
    order_by: str = "id"
    groups: tuple[str, ...] = ()
    #: What can be done besides listing: create, update, delete.
    verbs: frozenset[str] = frozenset()

    @cached_property
    def creatable(self) -> Mapping[str, Field]:
        """The fields that may be given when an object is made."""
        return {name: field for name, field in self.fields.items() if field.create}

    @cached_property
    def changeable(self) -> Mapping[str, Field]:
        """The fields that may be changed later."""
        return {name: field for name, field in self.fields.items() if field.update}

    @cached_property
    def required(self) -> tuple[str, ...]:
        """The fields without which no object can be made."""
        return tuple(name for name, field in self.creatable.items() if field.required)

    def defaults(self) -> Record:
        """Return what the creatable fields of a new object hold when nothing is said."""
        values = dict(self._defaults)
        for name in self._default_containers:
            values[name] = values[name].copy()
        return values

    @cached_property
    def _defaults(self) -> Record:
        return {name: field.default for name, field in self.creatable.items()}

    @cached_property
    def _default_containers(self) -> tuple[str, ...]:
        return tuple(name for name, value in self._defaults.items() if isinstance(value, dict | list))
