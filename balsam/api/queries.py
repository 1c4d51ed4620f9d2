"""Queries: which objects, lazily; each step gives a new one, and what was read is kept."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Generic, Self, TypeVar, overload

from balsam.api.connection import client
from balsam.api.objects import Model
from balsam.exceptions import RefusedError
from balsam.schemas.checking import check_query, check_update
from balsam.schemas.resources import Query as Wire

__all__ = ["Query", "raise_refused"]

T = TypeVar("T", bound=Model)


class Query(Generic[T]):
    """The objects that all filters hold for, read once, when they are first looked at."""

    def __init__(self, model: type[T], wire: Wire | None = None, *, is_empty: bool = False) -> None:
        self._model = model
        self._wire = wire or Wire()
        #: A list of alternatives was empty: nothing can match.
        self._is_empty = is_empty
        self._found: list[T] | None = None

    def filter(self, **filters: Any) -> Self:
        """Narrow the query; raises UnknownFieldError (a TypeError) for an unknown filter."""
        self._require_whole("filtered")
        resource = self._model._resource
        filters = self._model_filters(filters)
        check_query(resource, Wire(filters=filters))
        is_empty = self._is_empty or any(
            isinstance(value, list | tuple | set) and not value for value in filters.values()
        )
        wire = replace(self._wire, filters={**self._wire.filters, **filters})
        return type(self)(self._model, wire, is_empty=is_empty)

    def _model_filters(self, filters: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: list(value) if isinstance(value, set | frozenset | tuple | range) else value
            for name, value in filters.items()
        }

    def order_by(self, field: str) -> Self:
        """Order by a field, descending with a ``-`` before it."""
        self._require_whole("ordered")
        wire = replace(self._wire, order_by=field)
        check_query(self._model._resource, wire)
        return type(self)(self._model, wire, is_empty=self._is_empty)

    def all(self) -> Self:
        """Return a query of the same objects, not yet read."""
        return type(self)(self._model, self._wire, is_empty=self._is_empty)

    def _require_whole(self, what: str) -> None:
        if self._wire.limit is not None or self._wire.offset:
            raise AttributeError(f"A slice of a query cannot be {what}: do that first, then slice.")

    # -- reading -------------------------------------------------------------------------------------

    def _read(self) -> list[T]:
        if self._found is None:
            name = self._model._resource.name
            records = () if self._is_empty else client().read_resources(name, self._wire)
            self._found = [self._model._from_record(record) for record in records]
        return self._found

    def __iter__(self) -> Iterator[T]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())

    def __bool__(self) -> bool:
        return bool(self._read())

    @overload
    def __getitem__(self, key: int) -> T: ...
    @overload
    def __getitem__(self, key: slice) -> "Query[T] | list[T]": ...
    def __getitem__(self, key: int | slice) -> "T | Query[T] | list[T]":
        """Return one object, or the query of a part; with a step, a list."""
        if isinstance(key, int):
            assert key >= 0, "a query has no negative index: reverse its order instead"
            return self._read()[key] if self._found is not None else self._part(key, key + 1)._read()[0]
        start, stop = key.start or 0, key.stop
        assert start >= 0 and (stop is None or stop >= 0), "a query has no negative index"
        if self._found is not None:
            return self._found[key]
        part = self._part(start, stop)
        return part if key.step is None else part._read()[:: key.step]

    def _part(self, start: int, stop: int | None) -> "Query[T]":
        """Return a part of this query, which may itself be a part."""
        offset = self._wire.offset + start
        limits = [
            limit for limit in (_length(start, stop), _rest(self._wire.limit, start)) if limit is not None
        ]
        wire = replace(self._wire, offset=offset, limit=min(limits) if limits else None)
        return type(self)(self._model, wire, is_empty=self._is_empty or wire.limit == 0)

    def count(self) -> int:
        """Return how many there are, without reading them."""
        if self._is_empty:
            return 0
        if self._found is not None or self._wire.limit is not None or self._wire.offset:
            return len(self)
        counted = client().list_resources(self._model._resource.name, replace(self._wire, limit=0)).count
        return counted or 0

    def first(self) -> T:
        """Return the first object; raises IndexError when there is none."""
        return self[0]

    def get(self, **filters: Any) -> T:
        """Return the one object; raises DoesNotExist, MultipleObjectsReturned."""
        found = list(self.filter(**filters)[:2] if filters else self[:2])
        wanted = ", ".join(f"{name}={value!r}" for name, value in {**self._wire.filters, **filters}.items())
        if not found:
            raise self._model.DoesNotExist(f"There is no {self._model.__name__} with {wanted}.")
        if len(found) > 1:
            raise self._model.MultipleObjectsReturned(
                f"Several {self._model.__name__}s have {wanted}. Give more, such as id or site_id."
            )
        return found[0]

    # -- changing ------------------------------------------------------------------------------------

    def update(self, **patch: Any) -> int:
        """Change all of these objects; return how many. Raises RefusedError that names those refused."""
        checked = check_update(self._model._resource, patch)
        if self._is_empty:
            return 0
        self._require_whole("updated")
        reply = client().update_resources_where(self._model._resource.name, self._wire, checked)
        self._found = None
        raise_refused(reply.refused, len(reply.changed))
        return len(reply.changed)

    def delete(self) -> int:
        """Delete all of these objects, with what belongs to them; return how many."""
        if "delete" not in self._model._resource.verbs:
            raise NotImplementedError(f"{self._model.__name__}s cannot be deleted.")
        if self._is_empty:
            return 0
        self._require_whole("deleted")
        self._found = None
        reply = client().delete_resources(self._model._resource.name, self._wire)
        raise_refused(reply.refused, reply.deleted, "deleted")
        return reply.deleted

    def __repr__(self) -> str:
        return f"Query({self._read()!r})"


def _length(start: int, stop: int | None) -> int | None:
    return None if stop is None else max(0, stop - start)


def _rest(limit: int | None, start: int) -> int | None:
    return None if limit is None else max(0, limit - start)


def raise_refused(refused: Mapping[int, str], done: int, what: str = "changed") -> None:
    """Raise RefusedError for objects that were refused; it is done to the others."""
    if refused:
        reasons: Sequence[str] = [f"{number}: {reason}" for number, reason in list(refused.items())[:5]]
        raise RefusedError(f"{done} {what}, {len(refused)} refused.\n" + "\n".join(reasons))
