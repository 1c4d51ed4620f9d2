"""Routes that read resources: pages, counts, single objects, and events as they happen."""

import time
from typing import Annotated, Any

from fastapi import APIRouter, Body, Request
from fastapi import Query as Parameter
from starlette.concurrency import run_in_threadpool

from balsam.exceptions import NotFoundError, UsageError
from balsam.schemas.fields import Record, Resource
from balsam.schemas.resources import Query
from balsam.server import describing
from balsam.server.accounts import Caller
from balsam.server.connections import call
from balsam.server.describing import MAX_PAGE
from balsam.server.notices import LONGEST_WAIT_SEC, Board

__all__ = ["add_reading", "one", "query_of"]

_PAGING = ("limit", "offset", "ordering", "after", "counted")
#: Not every event is told of at once.
_LOOK_SEC = 1.0


def add_reading(router: APIRouter, resource: Resource) -> None:
    """Add the routes of one resource."""
    (_add_events if resource.name == "event" else _add_list)(router, resource)
    name = resource.name

    @router.post("/query", openapi_extra=describing.listing(resource), name=f"query {name}")
    def query(caller: Caller, body: Annotated[dict[str, Any], Body()]) -> dict[str, Any]:
        """List in the same way, with filters that are too long for an address."""
        return _page(caller.id, name, _query_in(body))

    if resource.groups:
        _add_counting(router, resource)

    @router.get("/{number}", name=f"show {name}")
    def show(number: int, caller: Caller) -> Record:
        """Return one object."""
        return one(caller.id, name, number)


def _add_list(router: APIRouter, resource: Resource) -> None:
    @router.get("/", openapi_extra=_parameters(resource), name=f"list {resource.name}")
    def list_page(request: Request, caller: Caller) -> dict[str, Any]:
        """List the caller's objects that all filters hold for."""
        return _page(caller.id, resource.name, query_of(request, resource))


def _add_events(router: APIRouter, resource: Resource) -> None:
    @router.get("/", openapi_extra=_parameters(resource), name="list event")
    async def list_events(
        request: Request,
        caller: Caller,
        wait_sec: Annotated[float, Parameter(ge=0, le=LONGEST_WAIT_SEC)] = 0.0,
    ) -> dict[str, Any]:
        """List events of the caller's jobs; if there are none, wait so long for the first.

        With `after_id` and `ordering=id`, none is missed: the id of the last one is the next `after_id`.
        """
        board: Board = request.app.state.board
        query, until = query_of(request, resource, "wait_sec"), time.monotonic() + wait_sec
        while True:
            last = board.last
            page = await run_in_threadpool(_page, caller.id, resource.name, query)
            left = until - time.monotonic()
            if page["results"] or left <= 0 or board.is_closed:
                return page
            await board.wait(caller.id, last, min(left, _LOOK_SEC))


def _parameters(resource: Resource) -> dict[str, Any]:
    return {"parameters": describing.filters(resource) + describing.paging(resource)}


def _add_counting(router: APIRouter, resource: Resource) -> None:
    name = resource.name
    By = Annotated[str, Parameter(json_schema_extra={"enum": list(resource.groups)})]

    @router.get("/counts", openapi_extra={"parameters": describing.filters(resource)}, name=f"count {name}")
    def counts(request: Request, caller: Caller, by: By) -> dict[str, int]:
        """Count the caller's objects by a field."""
        return _counts(caller.id, name, query_of(request, resource, "by"), by)

    @router.post("/counts", openapi_extra=describing.listing(resource), name=f"count {name}s found")
    def counts_found(caller: Caller, by: By, body: Annotated[dict[str, Any], Body()]) -> dict[str, int]:
        """Count in the same way, with filters that are too long for an address."""
        return _counts(caller.id, name, _query_in(body), by)


def one(caller: int, name: str, number: int) -> Record:
    """Return one object of a caller's; raises NotFoundError."""
    found = call("resources.list", caller, name, Query(filters={"id": [number]})).results
    if not found:
        raise NotFoundError(f"There is no {name} {number}.")
    record: Record = found[0]
    return record


def _page(caller: int, name: str, query: Query) -> dict[str, Any]:
    page = call("resources.list", caller, name, query)
    return {"count": page.count, "results": page.results, "next": page.next}


def _counts(caller: int, name: str, query: Query, by: str) -> dict[str, int]:
    found: dict[str, int] = call("resources.count_by", caller, name, query, by)
    return found


def query_of(request: Request, resource: Resource, *others: str) -> Query:
    """Read filters, order and page from an address, without ``others``; a filter may come several times."""
    values = request.query_params
    found: dict[str, Any] = {}
    for key in values.keys() - {*_PAGING, *others}:
        given = values.getlist(key)
        kind = resource.filters[key].kind if key in resource.filters else "text"
        found[key] = [_read(kind, text) for text in given] if len(given) > 1 else _read(kind, given[0])
    return Query(
        filters=found,
        order_by=values.get("ordering", ""),
        limit=_limit(values.get("limit")),
        offset=_number(values.get("offset", 0), "offset"),
        after=values.get("after", ""),
        counted=_flag(values.get("counted", "true"), "counted"),
    )


def _query_in(body: dict[str, Any]) -> Query:
    """Read filters, order and page from a JSON object."""
    for key, kind in (("filters", dict), ("ordering", str), ("after", str), ("counted", bool)):
        if not isinstance(body.get(key, kind()), kind):
            raise UsageError(f"{key} cannot be {body[key]!r}.")
    if unknown := sorted(body.keys() - {"filters", *_PAGING}):
        raise UsageError(f"A query has no {unknown[0]!r}. It can have: filters, {', '.join(_PAGING)}.")
    return Query(
        filters=body.get("filters", {}),
        order_by=body.get("ordering", ""),
        limit=_limit(body.get("limit")),
        offset=_number(body.get("offset", 0), "offset"),
        after=body.get("after", ""),
        counted=body.get("counted", True),
    )


def _limit(told: Any) -> int:
    limit = MAX_PAGE if told is None else _number(told, "limit")
    if limit > MAX_PAGE:
        raise UsageError(f"limit is {limit}; at most {MAX_PAGE} objects fit on a page.")
    return limit


def _flag(text: str, name: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise UsageError(f"{name} is {text!r}; it must be true or false.")
    return text.lower() == "true"


def _read(kind: str, text: str) -> Any:
    return {"true": True, "false": False}.get(text.lower(), text) if kind == "flag" else text


def _number(told: Any, name: str) -> int:
    text = str(told)
    if not (text.isascii() and text.isdecimal()) or len(text) > 12:
        raise UsageError(f"{name} is {told!r}, which is no number of objects.")
    return int(text)
