"""What the columns of a job may hold, and how COPY wants it: checked and written a whole column at a time.

A value that PostgreSQL could not store, or that makes no sense, is refused here with the column and the job
named, before anything is sent.
"""

import json
import math
import re
import reprlib
import uuid
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.db import connection, models
from django.db.models.expressions import DatabaseDefault

from balsam.core.models.fields import EnvironField
from balsam.exceptions import UsageError

if TYPE_CHECKING:
    from balsam.core.models.job import BalsamJob

    Field = models.Field[Any, Any]

#: Smallest value of a column of numbers; others may be negative.
_MINIMUM = {
    "num_nodes": 1,
    "ranks_per_node": 1,
    "threads_per_rank": 1,
    "threads_per_core": 1,
    "node_packing_count": 1,
    "wall_time_minutes": 0,
    "gpus_per_rank": 0,
    "memory_mb_per_node": 0,
    "max_timeout_retries": 0,
    "max_error_retries": 0,
}
_CHOICES = {"on_parent_failure": ("fail", "ignore", "hold")}
_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"})
#: A NUL in a JSON text: an odd number of backslashes, then u0000.
_JSON_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
_json_text = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


def clean(field: "Field", value: Any, owner: str) -> Any:
    """Return a value as the column is to hold it: numbers in text are read, and so on.

    Raises UsageError, which names the ``owner``, for a value that cannot be.
    """
    try:
        cleaned = _converted(field, value)
        if cleaned is not None:
            _writer(field)(field, [cleaned])
    except (ValueError, TypeError, OverflowError, ValidationError) as error:
        reason = error.messages[0] if isinstance(error, ValidationError) else str(error)
        raise UsageError(
            f"{field.name} of {owner} cannot be {_shown(value)}: {reason.rstrip('.')}."
        ) from error
    return cleaned


def _shown(value: Any) -> str:
    try:
        return reprlib.repr(value)
    except ValueError:  # Python refuses to write an integer of many thousand digits
        return f"such {type(value).__name__}"


def clean_job(job: "BalsamJob", names: Iterable[str]) -> None:
    """Put the values of these columns (attribute names) in order in the job itself; raises UsageError."""
    for name in names:
        value = job.__dict__.get(name)
        if not isinstance(value, DatabaseDefault):
            job.__dict__[name] = clean(job._meta.get_field(name), value, f"job {job.cute_id}")


def texts(field: "Field", values: Sequence[Any], jobs: "Sequence[BalsamJob]") -> list[str]:
    """Return the values of a column, one for each job, as COPY reads them; raises UsageError as `clean`."""
    write = _writer(field)
    try:
        return write(field, values)
    except (ValueError, TypeError):  # some value is of another type, or cannot be
        cleaned = [clean(field, value, f"job {job.cute_id}") for value, job in zip(values, jobs, strict=True)]
        return ["\\N" if value is None else write(field, [value])[0] for value in cleaned]


def _converted(field: "Field", value: Any) -> Any:
    if value is None:
        if not field.null:
            raise ValueError("it must have a value")
        return None
    if isinstance(field, EnvironField):
        return field.normalised(value)
    if isinstance(value, float) and isinstance(field, models.IntegerField) and not value.is_integer():
        raise ValueError("it must be a whole number")
    if isinstance(field, models.ForeignKey):
        return int(value)
    return field.to_python(value)


def _require(kind: type, values: Sequence[Any]) -> None:
    if set(map(type, values)) != {kind}:
        raise TypeError(f"it must be {kind.__name__}")


def _text_column(field: "Field", values: Sequence[str]) -> list[str]:
    _require(str, values)
    joined = "".join(values)
    if "\0" in joined:
        raise ValueError("it holds a NUL character, which PostgreSQL cannot store")
    choices = _CHOICES.get(field.name)
    if choices is not None and not set(values).issubset(choices):
        raise ValueError(f"it must be one of {', '.join(choices)}")
    return _escaped(values, joined)


def _escaped(values: Sequence[str], joined: str) -> list[str]:
    try:
        joined.encode()
    except UnicodeEncodeError:
        raise ValueError("it holds bytes that are no UTF-8 text") from None
    if any(char in joined for char in "\\\n\r\t"):
        return [value.translate(_ESCAPES) for value in values]
    return list(values)


def _number_column(field: "Field", values: Sequence[int]) -> list[str]:
    _require(int, values)
    smallest, largest = connection.ops.integer_field_range(field.get_internal_type())
    _check_range(_MINIMUM.get(field.name, smallest), largest, values)
    return list(map(str, values))


def _float_column(field: "Field", values: Sequence[float]) -> list[str]:
    _require(float, values)
    if not all(map(math.isfinite, values)):
        raise ValueError("it must be finite")
    _check_range(_MINIMUM.get(field.name, -math.inf), math.inf, values)
    return list(map(repr, values))


def _check_range(smallest: float, largest: float, values: Sequence[float]) -> None:
    if min(values) < smallest:
        raise ValueError(f"it must be {smallest} or more")
    if max(values) > largest:
        raise ValueError(f"it must be {largest} or less")


def _flag_column(field: "Field", values: Sequence[bool]) -> list[str]:
    _require(bool, values)
    return ["t" if value else "f" for value in values]


def _json_column(field: "Field", values: Sequence[Any]) -> list[str]:
    try:
        written = [_json_text(value) for value in values]
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    joined = "".join(written)
    if "\\u0000" in joined and any(map(_JSON_NUL.search, written)):
        raise ValueError("it holds a NUL character, which PostgreSQL cannot store")
    return _escaped(written, joined)


def _environ_column(field: "Field", values: Sequence[Any]) -> list[str]:
    return _json_column(field, [EnvironField.normalised(value) for value in values])


def _id_column(field: "Field", values: Sequence[uuid.UUID]) -> list[str]:
    _require(uuid.UUID, values)
    return [value.hex for value in values]


def _other_column(field: "Field", values: Sequence[Any]) -> list[str]:
    prepared = [str(field.get_db_prep_save(value, connection)) for value in values]
    return _escaped(prepared, "".join(prepared))


#: The first kind of field that fits.
_WRITERS: tuple[tuple[type["Field"] | tuple[type["Field"], ...], Callable[..., list[str]]], ...] = (
    (EnvironField, _environ_column),
    (models.JSONField, _json_column),
    (models.BooleanField, _flag_column),
    (models.IntegerField, _number_column),
    (models.FloatField, _float_column),
    (models.UUIDField, _id_column),
    ((models.TextField, models.CharField), _text_column),
)


def is_storable_text(value: object) -> bool:
    """Say whether a value is a text that PostgreSQL can hold."""
    if not isinstance(value, str) or "\0" in value:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _writer(field: "Field") -> Callable[["Field", Sequence[Any]], list[str]]:
    return next((write for kind, write in _WRITERS if isinstance(field, kind)), _other_column)
