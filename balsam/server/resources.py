"""Routes of the resources, derived from their table: the same operations that the in-process client calls.

Here objects are made, changed and deleted; `balsam.server.reading` has the routes that only read.
"""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Body, FastAPI, Header, Request

from balsam.exceptions import RefusedError, UsageError
from balsam.schemas.fields import Record, Resource
from balsam.schemas.resources import RESOURCES, DeleteReply, Query, UpdateReply
from balsam.server import describing
from balsam.server.accounts import Caller
from balsam.server.connections import call
from balsam.server.reading import add_reading, one, query_of

__all__ = ["add_routes"]


def add_routes(app: FastAPI) -> None:
    """Add the routes of every resource to the application."""
    for resource in RESOURCES.values():
        router = APIRouter(prefix=resource.path.rstrip("/"), tags=[resource.name])
        add_reading(router, resource)
        if "create" in resource.verbs:
            _add_creating(router, resource)
        if "update" in resource.verbs:
            _add_updating(router, resource)
        if "delete" in resource.verbs:
            _add_deleting(router, resource)
        app.include_router(router)


def _add_creating(router: APIRouter, resource: Resource) -> None:
    name = resource.name

    @router.post(
        "/",
        status_code=201,
        openapi_extra=describing.body(resource, creating=True, many=True),
        name=f"create {name}",
    )
    def create(
        caller: Caller, body: Annotated[Any, Body()], idempotency_key: Annotated[str, Header()] = ""
    ) -> Any:
        """Make one object, or a list of them, all or none.

        A request that is sent again with the same Idempotency-Key makes nothing new.
        """
        records = body if isinstance(body, list) else [body]
        made = call("resources.create", caller.id, name, _objects(records), idempotency_key[:64])
        return made if isinstance(body, list) else made[0]


def _add_updating(router: APIRouter, resource: Resource) -> None:
    name = resource.name

    @router.patch(
        "/", openapi_extra=describing.body(resource, creating=False, many=True), name=f"change {name}s"
    )
    def update(caller: Caller, body: Annotated[list[Any], Body()]) -> dict[str, Any]:
        """Change objects, each by its ``id``: one that is refused keeps none of the others."""
        patches: dict[int, Record] = {}
        for item in _objects(body):
            number = item.pop("id", None)
            if not isinstance(number, int) or number in patches:
                raise UsageError(f"Each change needs an id, once: {number!r}.")
            patches[number] = item
        return _outcome(call("resources.update", caller.id, name, patches))

    @router.put(
        "/{number}",
        openapi_extra=describing.body(resource, creating=False, many=False),
        name=f"change {name}",
    )
    def updateone(number: int, caller: Caller, body: Annotated[dict[str, Any], Body()]) -> Record:
        """Change one object."""
        one(caller.id, name, number)
        reply: UpdateReply = call("resources.update", caller.id, name, {number: body})
        for reason in reply.refused.values():
            raise RefusedError(reason)
        return one(caller.id, name, number)

    @router.put(
        "/",
        openapi_extra={
            **describing.body(resource, creating=False, many=False),
            "parameters": describing.filters(resource),
        },
        name=f"change {name}s found",
    )
    def update_where(
        request: Request, caller: Caller, body: Annotated[dict[str, Any], Body()]
    ) -> dict[str, Any]:
        """Change all objects that the filters hold for, in the same way."""
        return _outcome(call("resources.update_where", caller.id, name, query_of(request, resource), body))


def _add_deleting(router: APIRouter, resource: Resource) -> None:
    name = resource.name

    @router.delete("/{number}", status_code=204, name=f"delete {name}")
    def delete_one(number: int, caller: Caller) -> None:
        """Delete one object, with what belongs to it."""
        one(caller.id, name, number)
        reply: DeleteReply = call("resources.delete_where", caller.id, name, Query(filters={"id": [number]}))
        for reason in reply.refused.values():
            raise RefusedError(reason)

    @router.delete("/", openapi_extra={"parameters": describing.filters(resource)}, name=f"delete {name}s")
    def delete_where(request: Request, caller: Caller) -> dict[str, Any]:
        """Delete all objects that the filters hold for; without any filter, none. Jobs that are held stay."""
        query = query_of(request, resource)
        if not query.filters:
            raise UsageError("Name a filter: deleting everything is never meant by saying nothing.")
        reply: DeleteReply = call("resources.delete_where", caller.id, name, query)
        return {"deleted": reply.deleted, "refused": _reasons(reply.refused)}


def _outcome(reply: UpdateReply) -> dict[str, Any]:
    return {"changed": list(reply.changed), "refused": _reasons(reply.refused)}


def _reasons(refused: Mapping[int, str]) -> dict[str, str]:
    return {str(number): reason for number, reason in refused.items()}


def _objects(items: list[Any]) -> list[Record]:
    if not all(isinstance(item, dict) for item in items):
        raise UsageError("Each object is sent as a JSON object.")
    return [dict(item) for item in items]
