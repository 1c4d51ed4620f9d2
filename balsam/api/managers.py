"""``Model.objects``: where queries begin, and what is done to many objects at once."""

from collections.abc import Iterable
from typing import Any, Generic, TypeVar

from balsam.api.connection import client
from balsam.api.objects import Model
from balsam.api.queries import Query, raise_refused
from balsam.exceptions import UsageError
from balsam.lib.many_objects import no_garbage_expected
from balsam.schemas.resources import Query as Wire
from balsam.schemas.resources import UpdateReply

__all__ = ["ChangeableManager", "Manager", "WritableManager"]

T = TypeVar("T", bound=Model)


class Manager(Generic[T]):
    """Queries over one kind of object."""

    def __init__(self, model: type[T], positional: str = "id") -> None:
        self._model = model
        self._positional = positional

    def all(self) -> Query[T]:
        """Return a query of all objects."""
        return Query(self._model)

    def filter(self, **filters: Any) -> Query[T]:
        """Return a query of the objects that all filters hold for."""
        return self.all().filter(**filters)

    def order_by(self, field: str) -> Query[T]:
        """Return a query of all objects in an order."""
        return self.all().order_by(field)

    def get(self, *args: Any, **filters: Any) -> T:
        """Return the one object; raises DoesNotExist, MultipleObjectsReturned.

        One value by position is that of the first field: the name of a site, the id of others.
        """
        if len(args) > 1:
            raise TypeError(f"get takes {self._positional} by position, and filters by name.")
        if args:
            filters[self._positional] = args[0]
        return self.all().get(**filters)

    def count(self) -> int:
        """Return how many there are."""
        return self.all().count()

    def first(self) -> T:
        """Return the first object; raises IndexError when there is none."""
        return self.all().first()


class ChangeableManager(Manager[T]):
    """Queries over objects that can be changed."""

    def bulk_update(self, objects: list[T]) -> int:
        """Send what has changed in each of these objects; return how many were changed.

        Raises RefusedError that names those refused; the others are changed, and clean.
        """
        reply = self.try_update(objects)
        raise_refused(reply.refused, len(reply.changed))
        return len(reply.changed)

    def try_update(self, objects: list[T]) -> UpdateReply:
        """Send what has changed in each of these objects; return which were changed, and why others not."""
        resource = self._model._resource
        if "update" not in resource.verbs:
            raise NotImplementedError(f"{self._model.__name__}s cannot be changed.")
        patches = {obj.id: patch for obj in self._listed(objects) if (patch := obj._patch())}
        if len({obj.id for obj in objects}) < len(objects):
            raise UsageError(f"A {self._model.__name__} is in the list twice: which of them is meant?")
        refused: dict[int, str] = {}
        for start in range(0, len(patches), _CHUNK):
            chunk = dict(list(patches.items())[start : start + _CHUNK])
            refused.update(client().update_resources(resource.name, chunk).refused)
        changed = tuple(number for number in patches if number not in refused)
        self.bulk_refresh([obj for obj in objects if obj.id in changed])
        return UpdateReply(changed, refused)

    def bulk_refresh(self, objects: list[T]) -> None:
        """Read all of these objects again; raises DoesNotExist when one is gone."""
        for obj in self._listed(objects):
            obj._require_saved()
        wanted = Wire(filters={"id": [obj.id for obj in objects]})
        name = self._model._resource.name
        found = {rec["id"]: rec for rec in client().read_resources(name, wanted)} if objects else {}
        for obj in objects:
            if obj.id not in found:
                raise self._model.DoesNotExist(f"{self._model.__name__} {obj.id} has been deleted.")
            obj._take(found[obj.id])

    def _listed(self, objects: Iterable[T]) -> list[T]:
        if not isinstance(objects, list):
            raise TypeError(f"Give a list of {self._model.__name__} objects, not {type(objects).__name__}.")
        return objects


class WritableManager(ChangeableManager[T]):
    """Queries over objects that can be made."""

    def create(self, *args: Any, **fields: Any) -> T:
        """Make an object and save it."""
        made = self._model(*args, **fields)
        made.save()
        return made

    def bulk_create(self, objects: list[T]) -> list[T]:
        """Make all of these objects, or none; return the made ones, in the same order.

        Raises TypeError for what is no list, UsageError for values that cannot be.
        """
        with no_garbage_expected():
            return self._created(self._listed(objects))

    def _created(self, objects: list[T]) -> list[T]:
        resource = self._model._resource
        records = [obj._new_record() for obj in objects]
        made: list[T] = []
        for start in range(0, len(records), _CHUNK):
            chunk = client().create_resources(resource.name, records[start : start + _CHUNK])
            made += [self._model._from_record(record) for record in chunk]
        return made


#: Objects in one call.
_CHUNK = 5_000
