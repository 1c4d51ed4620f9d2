"""Routes of the resources, derived from their table: the same operations that the in-process client calls."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Body, FastAPI, Header, Request

from balsam.exceptions import NotFoundError, RefusedError, UsageError
from balsam.schemas.resources import RESOURCES, DeleteReply, Field, Query, Record, Resource, UpdateReply
from balsam.server.accounts import Caller
from balsam.server.connections import call

__all__ = ["add_routes"]

#: Objects in one page, if no limit is asked for, and at most.
MAX_PAGE = 100_000
_PAGING = ("limit", "offset", "ordering")
_JSON_TYPES = {
    "int": "integer", "float": "number", "flag": "boolean", "json": "object", "texts": "object",
    "list": "array", "ids": "array",
}  # fmt: skip


def add_routes(app: FastAPI) -> None:
    """Add the routes of every resource to the application."""
    for resource in RESOURCES.values():
        router = APIRouter(prefix=resource.path.rstrip("/"), tags=[resource.name])
        _add_reading(router, resource)
        if "create" in resource.verbs:
            _add_creating(router, resource)
        if "update" in resource.verbs:
            _add_updating(router, resource)
        if "delete" in resource.verbs:
            _add_deleting(router, resource)
        app.include_router(router)


def _add_reading(router: APIRouter, resource: Resource) -> None:
    name = resource.name

    @router.get("/", openapi_extra={"parameters": _filters(resource, paging=True)}, name=f"list {name}")
    def list_page(request: Request, caller: Caller) -> dict[str, Any]:
        """List the caller's objects that all filters hold for."""
        page = call("resources.list", caller.id, name, _query(request, resource))
        return {"count": page.count, "results": page.results}

    @router.get("/counts", openapi_extra={"parameters": _filters(resource)}, name=f"count {name}")
    def counts(request: Request, caller: Caller, by: str) -> dict[str, int]:
        """Count the caller's objects by a field."""
        found: dict[str, int] = call("resources.count_by", caller.id, name, _query(request, resource), by)
        return found

    @router.get("/{number}", name=f"show {name}")
    def show(number: int, caller: Caller) -> Record:
        """Return one object."""
        return _one(caller.id, name, number)


def _add_creating(router: APIRouter, resource: Resource) -> None:
    name = resource.name

    @router.post(
        "/", status_code=201, openapi_extra=_body(resource, creating=True, many=True), name=f"create {name}"
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

    @router.patch("/", openapi_extra=_body(resource, creating=False, many=True), name=f"change {name}s")
    def update(caller: Caller, body: Annotated[list[Any], Body()]) -> dict[str, Any]:
        """Change objects, each by its ``id``: one that is refused keeps none of the others."""
        patches: dict[int, Record] = {}
        for item in _objects(body):
            number = item.pop("id", None)
            if not isinstance(number, int) or number in patches:
                raise UsageError(f"Each change needs an id, once: {number!r}.")
            patches[number] = item
        return _outcome(call("resources.update", caller.id, name, patches))

    @router.put("/{number}", openapi_extra=_body(resource, creating=False, many=False), name=f"change {name}")
    def update_one(number: int, caller: Caller, body: Annotated[dict[str, Any], Body()]) -> Record:
        """Change one object."""
        _one(caller.id, name, number)
        reply: UpdateReply = call("resources.update", caller.id, name, {number: body})
        for reason in reply.refused.values():
            raise RefusedError(reason)
        return _one(caller.id, name, number)

    @router.put(
        "/",
        openapi_extra={
            **_body(resource, creating=False, many=False),
            "parameters": _filters(resource),
        },
        name=f"change {name}s found",
    )
    def update_where(
        request: Request, caller: Caller, body: Annotated[dict[str, Any], Body()]
    ) -> dict[str, Any]:
        """Change all objects that the filters hold for, in the same way."""
        return _outcome(call("resources.update_where", caller.id, name, _query(request, resource), body))


def _add_deleting(router: APIRouter, resource: Resource) -> None:
    name = resource.name

    @router.delete("/{number}", status_code=204, name=f"delete {name}")
    def delete_one(number: int, caller: Caller) -> None:
        """Delete one object, with what belongs to it."""
        _one(caller.id, name, number)
        reply: DeleteReply = call("resources.delete_where", caller.id, name, Query(filters={"id": [number]}))
        for reason in reply.refused.values():
            raise RefusedError(reason)

    @router.delete("/", openapi_extra={"parameters": _filters(resource)}, name=f"delete {name}s")
    def delete_where(request: Request, caller: Caller) -> dict[str, Any]:
        """Delete all objects that the filters hold for; without any filter, none. Jobs that are held stay."""
        query = _query(request, resource)
        if not query.filters:
            raise UsageError("Name a filter: deleting everything is never meant by saying nothing.")
        reply: DeleteReply = call("resources.delete_where", caller.id, name, query)
        return {"deleted": reply.deleted, "refused": _reasons(reply.refused)}


def _one(caller: int, name: str, number: int) -> Record:
    found = call("resources.list", caller, name, Query(filters={"id": [number]})).results
    if not found:
        raise NotFoundError(f"There is no {name} {number}.")
    record: Record = found[0]
    return record


def _outcome(reply: UpdateReply) -> dict[str, Any]:
    return {"changed": list(reply.changed), "refused": _reasons(reply.refused)}


def _reasons(refused: Mapping[int, str]) -> dict[str, str]:
    return {str(number): reason for number, reason in refused.items()}


def _objects(items: list[Any]) -> list[Record]:
    if not all(isinstance(item, dict) for item in items):
        raise UsageError("Each object is sent as a JSON object.")
    return [dict(item) for item in items]


def _query(request: Request, resource: Resource) -> Query:
    """Read filters, order and page from the address; a filter may be given several times."""
    values = request.query_params
    filters: dict[str, Any] = {}
    for key in values.keys() - {*_PAGING, "by"}:
        given = values.getlist(key)
        kind = resource.filters[key].kind if key in resource.filters else "text"
        filters[key] = [_read(kind, text) for text in given] if len(given) > 1 else _read(kind, given[0])
    limit = min(_number(values.get("limit"), MAX_PAGE, "limit"), MAX_PAGE)
    offset = _number(values.get("offset"), 0, "offset")
    return Query(filters=filters, order_by=values.get("ordering", ""), limit=limit, offset=offset)


def _read(kind: str, text: str) -> Any:
    return {"true": True, "false": False}.get(text.lower(), text) if kind == "flag" else text


def _number(text: str | None, default: int, name: str) -> int:
    if text is None:
        return default
    if not text.isdecimal():
        raise UsageError(f"{name} is {text!r}, which is no number.")
    return int(text)


# -- what the interactive page tells -----------------------------------------------------------------


def _filters(resource: Resource, *, paging: bool = False) -> list[dict[str, Any]]:
    found = [
        {"in": "query", "name": name, "schema": _schema(rule.kind, many=rule.many)}
        for name, rule in resource.filters.items()
    ]
    if paging:
        orders = [sign + order for order in resource.orders for sign in ("", "-")]
        found += [
            {"in": "query", "name": "ordering", "schema": {"type": "string", "enum": orders}},
            {"in": "query", "name": "limit", "schema": {"type": "integer", "maximum": MAX_PAGE}},
            {"in": "query", "name": "offset", "schema": {"type": "integer", "minimum": 0}},
        ]
    return found


def _body(resource: Resource, *, creating: bool, many: bool) -> dict[str, Any]:
    may: Callable[[Field], bool] = (lambda f: f.create) if creating else (lambda f: f.update)
    fields = {name: field for name, field in resource.fields.items() if may(field)}
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {name: _field_schema(field) for name, field in fields.items()},
    }
    if creating:
        schema["required"] = [name for name, field in fields.items() if field.required]
    if many:
        schema = {"oneOf": [schema, {"type": "array", "items": schema}]} if creating else {
            "type": "array", "items": schema,
        }  # fmt: skip
    return {"requestBody": {"content": {"application/json": {"schema": schema}}, "required": True}}


def _field_schema(field: Field) -> dict[str, Any]:
    schema = _schema(field.kind)
    if field.minimum is not None:
        schema["minimum"] = field.minimum
    if field.max_length is not None:
        schema["maxLength"] = field.max_length
    if field.default is not None:
        schema["default"] = field.default
    return schema


def _schema(kind: str, *, many: bool = False) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": _JSON_TYPES.get(kind, "string")}
    if schema["type"] == "array":
        schema["items"] = {}
    if kind == "time":
        schema["format"] = "date-time"
    return {"type": "array", "items": schema} if many else schema
