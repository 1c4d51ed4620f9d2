"""Queries with long lists of alternatives, such as ids: asked for in parts, which a request can hold.

What comes back is as if it had been asked for at once: without doubles, in the order wanted.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from balsam.api.connection import client
from balsam.schemas.resources import Query, Record, Resource

__all__ = ["count_all", "parts_of", "read_all"]

#: Alternatives in one request: of more, its address would be too long for servers.
_CHUNK = 500
#: Kinds of filters of whose values any will do, so that a list of them can be divided.
_DIVISIBLE = ("int", "uuid")
#: By this an object may be in several parts; all other such filters are by what it has one of.
_MAY_BE_SEVERAL = "parent_id"


def parts_of(resource: Resource, query: Query) -> Iterator[Query]:
    """Divide a query into such as a request can hold: itself, where it has no long list."""
    for name, value in query.filters.items():
        if resource.filters[name].kind in _DIVISIBLE and isinstance(value, list) and len(value) > _CHUNK:
            values = list(dict.fromkeys(value))
            for start in range(0, len(values), _CHUNK):
                chunk = {**query.filters, name: values[start : start + _CHUNK]}
                yield from parts_of(resource, replace(query, filters=chunk))
            return
    yield query


def count_all(resource: Resource, query: Query) -> int:
    """Return how many objects a query means."""
    parts = list(parts_of(resource, query))
    if len(parts) > 1 and _MAY_BE_SEVERAL in query.filters:
        return len(read_all(resource, query))
    return sum(client().list_resources(resource.name, replace(part, limit=0)).count for part in parts)


def read_all(resource: Resource, query: Query) -> list[Record]:
    """Return the objects that a query means."""
    parts = list(parts_of(resource, query))
    if len(parts) == 1:
        return client().list_resources(resource.name, query).results
    until = None if query.limit is None else query.offset + query.limit
    found: dict[int, Record] = {}
    for part in parts:
        records = client().list_resources(resource.name, replace(part, limit=until, offset=0)).results
        found.update((record["id"], record) for record in records)
    return _ordered(found.values(), query.order_by or resource.order_by)[query.offset : until]


def _ordered(records: Any, order_by: str) -> list[Record]:
    """Put records in order as the database does: those without a value last, or first when descending."""
    field = order_by.lstrip("-")

    def rank(record: Record) -> tuple[Any, ...]:
        value = record[field]
        return (value is None, 0 if value is None else value, record["id"])

    return sorted(records, key=rank, reverse=order_by.startswith("-"))
