"""Pages by key: each begins after the last object of the page before, and costs the same however far one is.

Where one is, is a text that only this module reads: the value that the objects are ordered by, and the id.
"""

import base64
import json
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet

from balsam.core.resources.faces import Face
from balsam.exceptions import UsageError

__all__ = ["beyond", "cursor_of", "ordered"]

Rows = QuerySet[Any]


def ordered(face: Face, rows: Rows, order: str) -> Rows:
    """Order rows as asked for, and those that are equal by their ids."""
    sign, column, tie = _parts(face, order)
    return rows.order_by(*dict.fromkeys((sign + column, sign + tie)))


def cursor_of(face: Face, order: str, row: Any) -> str:
    """Return where a row is in that order."""
    _, column, tie = _parts(face, order)
    value = getattr(row, column)
    place = [value.isoformat() if isinstance(value, datetime) else value, getattr(row, tie)]
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode()


def beyond(face: Face, rows: Rows, order: str, cursor: str) -> Rows:
    """Return the rows after a place; raises UsageError for a text that names none."""
    sign, column, tie = _parts(face, order)
    value, tie_value = _place(face, column, tie, cursor)
    compare = "lt" if sign else "gt"
    later = Q(**{f"{tie}__{compare}": tie_value})
    if column == tie:
        return rows.filter(later)
    if value is None:
        nulls = Q(**{f"{column}__isnull": True}) & later
        return rows.filter(nulls | Q(**{f"{column}__isnull": False}) if sign else nulls)
    # the first condition is one that an index serves
    found = Q(**{f"{column}__{compare}e": value}) & (Q(**{f"{column}__{compare}": value}) | later)
    return rows.filter(found if sign else found | Q(**{f"{column}__isnull": True}))


def _parts(face: Face, order: str) -> tuple[str, str, str]:
    sign = "-" if order.startswith("-") else ""
    return sign, face.orders[order.removeprefix("-")], face.orders["id"]


def _place(face: Face, column: str, tie: str, cursor: str) -> tuple[Any, int]:
    fields = face.model._meta
    try:
        value, tie_value = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        if "\0" in str(value) or type(tie_value) is not int:
            raise ValueError(cursor)
        kind: Any = fields.pk if column == "pk" else fields.get_field(column)
        return kind.to_python(value), tie_value
    except (ValueError, TypeError, ValidationError) as error:
        raise UsageError("`after` is not the `next` of a page; leave it out to begin anew.") from error
