"""Insert rows by COPY, column by column; columns that all hold their default are left to the database."""

import io
import uuid
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from django.db import connection
from django.db.models import NOT_PROVIDED

from balsam.core.columns import texts

if TYPE_CHECKING:
    from django.db import models

    from balsam.core.models.job import BalsamJob

#: Rows sent at once; bounds the memory that takes.
_CHUNK = 10_000


def copy_jobs(
    jobs: Sequence["BalsamJob"], given: Mapping[str, Sequence[Any]], left_out: frozenset[str]
) -> None:
    """Insert the rows of jobs: ``given`` columns as told, others as the objects have them.

    The database fills in those left out.
    """
    for start in range(0, len(jobs), _CHUNK):
        chunk = jobs[start : start + _CHUNK]
        rows = [job.__dict__ for job in chunk]
        names, columns = [], []
        for field in chunk[0]._meta.concrete_fields:
            if field.attname in left_out:
                continue
            if field.attname in given:
                values = list(given[field.attname][start : start + _CHUNK])
            else:
                values = list(map(itemgetter(field.attname), rows))
            if not _are_default(field, values):
                names.append(field.column)
                columns.append(texts(field, values, chunk))
        _copy("core_balsamjob", names, columns)


def copy_edges(edges: Sequence[tuple[uuid.UUID, uuid.UUID]]) -> None:
    """Insert (parent, child) edges."""
    for start in range(0, len(edges), _CHUNK):
        chunk = edges[start : start + _CHUNK]
        columns = [[parent.hex for parent, _ in chunk], [child.hex for _, child in chunk]]
        _copy("core_jobdependency", ["parent_id", "child_id"], columns)


def _are_default(field: "models.Field[Any, Any]", values: list[Any]) -> bool:
    """Say whether the database would fill in all of these values by itself."""
    if field.db_default is NOT_PROVIDED and not field.null:
        return False
    default = None if field.db_default is NOT_PROVIDED else field.db_default
    return values.count(default) == len(values)


def _copy(table: str, names: Sequence[str], columns: Sequence[Sequence[str]]) -> None:
    text = "\n".join(map("\t".join, zip(*columns, strict=True))) + "\n"
    listed = ", ".join(map(connection.ops.quote_name, names))
    with connection.cursor() as cursor, connection.wrap_database_errors:
        cursor.copy_expert(f"COPY {table} ({listed}) FROM STDIN", io.BytesIO(text.encode()))
