"""The operations on resources: one caller, one kind of object, and what is wanted of it."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import Count, QuerySet

from balsam.core import jobs, sql
from balsam.core.models.site import FIRST_SITE
from balsam.core.resources import paging, sessions
from balsam.core.resources.faces import FACES, Face
from balsam.core.resources.writing import CREATE, UPDATE
from balsam.core.sent_requests import once
from balsam.exceptions import BalsamError, UsageError
from balsam.schemas.checking import check_create, check_query, check_update
from balsam.schemas.fields import Record, Resource
from balsam.schemas.resources import RESOURCES, DeleteReply, Page, Query, UpdateReply

__all__ = ["count_by", "create", "delete_where", "list_page", "update", "update_where"]

#: Objects changed or made in one call.
MAX_BULK = 5_000
#: Resource -> the statement that names the jobs which go with it.
_JOBS_OF = {"site": "jobs_of_sites", "app": "jobs_of_apps"}


def list_page(caller: int | None, resource: str, query: Query) -> Page:
    """Return the caller's objects that all filters hold for; raises UsageError for a query that cannot be."""
    face, checked = FACES[resource], check_query(RESOURCES[resource], query)
    order, start, limit = checked.order_by, checked.offset, checked.limit
    rows = _matching(face, caller, checked)
    is_whole = limit is None and not start and not checked.after
    count = rows.count() if checked.counted and not is_whole else None
    found = paging.beyond(face, rows, order, checked.after) if checked.after else rows
    found = paging.ordered(face, found, order)
    page = list(found[start:] if limit is None else found[start : start + limit + 1])
    has_more = limit is not None and len(page) > limit
    page = page[:limit]
    after = paging.cursor_of(face, order, page[-1]) if has_more and page else ""
    return Page(len(page) if is_whole else count, face.to_records(page), after)


def count_by(caller: int | None, resource: str, query: Query, column: str) -> dict[str, int]:
    """Count the caller's objects by one of their fields: ``state`` of jobs, and so on. A null is ''."""
    face, table = FACES[resource], RESOURCES[resource]
    if column not in table.groups:
        known = ", ".join(table.groups) or "nothing"
        raise UsageError(f"A {table.name} cannot be counted by {column!r}. It can be by: {known}.")
    rows = _matching(face, caller, check_query(table, query))
    counted = dict(rows.order_by().values_list(face.groups[column]).annotate(number=Count("*")))
    labels = face.labels[column](counted) if column in face.labels else {}
    return {"" if value is None else str(labels.get(value, value)): n for value, n in counted.items()}


def create(
    caller: int | None, resource: str, records: Sequence[Record], request_key: str = ""
) -> list[Record]:
    """Make objects, all or none; return them in order. Raises UsageError, ConflictError, NotFoundError.

    A request with the key of one that was carried out makes nothing, and has the same reply: so may a client
    send it again that has not heard of the first.
    """
    table = _that_can(resource, "create")
    _require_at_most(records, table)
    checked = [check_create(table, record) for record in records]
    made: list[Record] = once(
        caller, request_key, lambda: FACES[resource].to_records(CREATE[resource](caller, checked))
    )
    return made


def update(caller: int | None, resource: str, patches: Mapping[int, Record]) -> UpdateReply:
    """Change objects one by one: one that is refused, or is not the caller's, keeps none of the others."""
    table, face = _that_can(resource, "update"), FACES[resource]
    _require_at_most(patches, table)
    query = Query(filters={"id": list(patches)}, order_by="id")
    rows = list(_matching(face, caller, query))
    column = face.orders["id"]
    by_id = {getattr(row, column): row for row in rows}
    changed, refused = [], {}
    for number, patch in patches.items():
        row = by_id.get(number)
        try:
            if row is None:
                raise UsageError(f"There is no {table.name} {number}.")
            UPDATE[resource](row, check_update(table, patch))
        except BalsamError as error:
            refused[number] = str(error)
        else:
            changed.append(number)
    return UpdateReply(tuple(changed), refused)


def update_where(caller: int | None, resource: str, query: Query, patch: Record) -> UpdateReply:
    """Change all objects that the filters hold for, in the same way; see `update`."""
    numbers = _ids(caller, resource, query)
    done: list[int] = []
    refused: dict[int, str] = {}
    for start in range(0, len(numbers), MAX_BULK):
        reply = update(
            caller, resource, {number: dict(patch) for number in numbers[start : start + MAX_BULK]}
        )
        done += reply.changed
        refused.update(reply.refused)
    return UpdateReply(tuple(done), refused)


def delete_where(caller: int | None, resource: str, query: Query) -> DeleteReply:
    """Delete all objects that the filters hold for, with what belongs to them; jobs that are held stay."""
    _that_can(resource, "delete")
    face, checked = FACES[resource], check_query(RESOURCES[resource], query)
    rows = _matching(face, caller, checked)
    if resource == "session":
        return DeleteReply(sessions.close(list(rows)))
    if resource == "job":
        return _delete_jobs(rows)
    numbers = list(rows.values_list("pk", flat=True))
    if resource == "site" and FIRST_SITE in numbers:
        raise UsageError("The database directory itself is the first site, and cannot be removed from it.")
    jobs.delete(job_id for (job_id,) in sql.fetch(_JOBS_OF[resource], ids=numbers))
    rows.delete()
    return DeleteReply(len(numbers))


def _delete_jobs(rows: "QuerySet[Any]") -> DeleteReply:
    held = rows.exclude(session=None).values_list("number", "state", "lock")
    refused = {
        number: f"{lock} has it ({state}). Let it end, or stop it: "
        f"`balsam job modify --id {number} --set-state USER_KILLED`."
        for number, state, lock in held
    }
    return DeleteReply(jobs.delete(rows.filter(session=None).values_list("pk", flat=True)), refused)


def _ids(caller: int | None, resource: str, query: Query) -> list[int]:
    face, checked = FACES[resource], check_query(RESOURCES[resource], query)
    return list(_matching(face, caller, checked).values_list(face.orders["id"], flat=True))


def _that_can(resource: str, verb: str) -> Resource:
    table = RESOURCES[resource]
    if verb not in table.verbs:
        raise UsageError(f"There is no way to {verb} a {table.name}.")
    return table


def _require_at_most(items: Sequence[object] | Mapping[int, object], table: Resource) -> None:
    if len(items) > MAX_BULK:
        raise UsageError(f"{len(items)} objects of kind {table.name} in one call; at most {MAX_BULK} fit.")


def _matching(face: Face, caller: int | None, query: Query) -> "QuerySet[Any]":
    rows = face.model._default_manager.filter(face.owned(caller))
    for name, value in query.filters.items():
        rows = rows.filter(face.filters[name](value))
    return rows
