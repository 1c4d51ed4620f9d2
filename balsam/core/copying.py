"""Insert job rows by COPY, column by column, leaving columns that all hold their default to the database."""

import io
import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from django.db import DataError, connection, models
from django.db.models import NOT_PROVIDED
from django.db.models.expressions import DatabaseDefault

from balsam.lib.envstrings import parse_environ

if TYPE_CHECKING:
    from balsam.core.models.job import BalsamJob

_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"})
_NULL = "\\N"


def copy_rows(batch: Sequence["BalsamJob"]) -> None:
    """Insert these jobs' rows in one COPY."""
    if not batch:
        return
    names, columns = [], []
    for field in batch[0]._meta.concrete_fields:
        values = [job.__dict__[field.attname] for job in batch]
        if not _is_default(field, values):
            names.append(connection.ops.quote_name(field.column))
            columns.append(_texts(field, values))
    rows = map("\t".join, zip(*columns, strict=True))
    text = "\n".join(rows) + "\n"
    with connection.cursor() as cursor, connection.wrap_database_errors:
        cursor.copy_expert(f"COPY core_balsamjob ({', '.join(names)}) FROM STDIN", io.StringIO(text))


def _is_default(field: "models.Field[Any, Any]", values: list[Any]) -> bool:
    """Say whether the database fills this column in by itself."""
    if isinstance(values[0], DatabaseDefault):
        return all(isinstance(value, DatabaseDefault) for value in values)
    if field.db_default is NOT_PROVIDED and not field.null:
        return False
    default = None if field.db_default is NOT_PROVIDED else field.db_default
    return all(value == default for value in values)


def _texts(field: "models.Field[Any, Any]", values: list[Any]) -> list[str]:
    convert = _converter(field)
    try:
        return [_NULL if value is None else convert(value) for value in values]
    except (TypeError, ValueError) as error:
        raise DataError(f"A value of {field.name} cannot be stored: {error}") from error


def _converter(field: "models.Field[Any, Any]") -> Callable[[Any], str]:
    if field.name == "environ_vars":
        return lambda value: _json(parse_environ(value))
    if isinstance(field, models.JSONField):
        return _json
    if isinstance(field, models.BooleanField):
        return lambda value: "t" if field.to_python(value) else "f"
    if isinstance(field, (models.TextField, models.CharField)):
        return lambda value: _escaped(str(value))
    return lambda value: _escaped(str(field.get_db_prep_save(value, connection)))


def _json(value: Any) -> str:
    return _escaped(json.dumps(value))


def _escaped(text: str) -> str:
    if "\0" in text:
        raise ValueError("it holds a NUL character, which PostgreSQL cannot store")
    return text.translate(_ESCAPES) if not text.isalnum() else text
