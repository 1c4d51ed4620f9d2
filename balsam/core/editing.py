"""Change one attribute of a job or application from its text form, as people type it."""

import json
import math
from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

from django.db import models, transaction

from balsam.core import jobs
from balsam.core.models import ApplicationDefinition, BalsamJob
from balsam.core.models.fields import EnvironField
from balsam.core.models.job import CORE_COLUMNS
from balsam.exceptions import AmbiguousError, ConflictError, NotFoundError, UsageError
from balsam.lib.envstrings import parse_environ

_TRUTH = {
    "true": True,
    "yes": True,
    "on": True,
    "1": True,
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}


def modify_job(fragment: str, attribute: str, text: str) -> tuple[BalsamJob, Any]:
    """Set an attribute of the one job whose id contains ``fragment``; return the job and the new value.

    ``state`` goes through the transition table, and ``parents`` takes a JSON list of ids. Raises UsageError
    for an attribute or value that cannot be, NotFoundError or AmbiguousError for the id.
    """
    job = jobs.find_one(fragment)
    if attribute == "state":
        job.update_state(text.strip().upper(), "State changed by the user from the command line")
        return job, job.state
    if attribute == "parents":
        job.set_parents(parse_json(attribute, text))
        return job, job.get_parents_by_id()
    field = editable_field(BalsamJob, attribute)
    setattr(job, field.attname, convert(field, text))
    job.save(update_fields=[field.name])
    return job, getattr(job, field.attname)


def modify_app(name_or_id: str, attribute: str, text: str) -> tuple[ApplicationDefinition, Any]:
    """Set an attribute of an application; return it and the new value.

    A new name is passed on to the jobs that use the application. Raises as `modify_job`, and ConflictError
    for a name that is taken.
    """
    app = find_app(name_or_id)
    field = editable_field(ApplicationDefinition, attribute)
    value = convert(field, text)
    with transaction.atomic():
        if field.name == "name":
            rename_app(app, value)
        setattr(app, field.attname, value)
        app.save()
    return app, value


def rename_app(app: ApplicationDefinition, name: str) -> None:
    """Let the jobs of an application name it by its new name; raises ConflictError if that is taken."""
    if not name.strip():
        raise UsageError("An application needs a name.")
    if ApplicationDefinition.objects.filter(name=name).exclude(pk=app.pk).exists():
        raise ConflictError(f"There is an application named {name!r} already; `balsam ls apps` lists them.")
    BalsamJob.objects.filter(application=app.name).update(application=name)


def find_app(name_or_id: str) -> ApplicationDefinition:
    """Return the application of this name or number, or the one whose name contains the text.

    Raises NotFoundError or AmbiguousError.
    """
    apps = ApplicationDefinition.objects.order_by("pk")
    exact = models.Q(name=name_or_id)
    if name_or_id.isdecimal():
        exact |= models.Q(pk=int(name_or_id))
    found = list(apps.filter(exact)[:2])
    if not found and name_or_id:
        found = list(apps.filter(name__icontains=name_or_id)[:3])
    if not found:
        raise NotFoundError(
            f"No application has the name or number {name_or_id!r}. `balsam ls apps` lists them."
        )
    if len(found) > 1:
        raise AmbiguousError(
            f"Several applications match {name_or_id!r}: {', '.join(app.cute_id for app in found)}. "
            "Give the number or the whole name."
        )
    return found[0]


def editable_field(model: type[models.Model], attribute: str) -> "models.Field[Any, Any]":
    """Return the column of that name; raises UsageError, with close names, if a user cannot set it."""
    fields = {f.name: f for f in model._meta.concrete_fields}
    settable = [name for name, f in fields.items() if not f.primary_key and f.editable]
    settable = [name for name in settable if name not in CORE_COLUMNS]
    if attribute in settable:
        return fields[attribute]
    if attribute in fields:
        raise UsageError(f"{attribute!r} is kept by Balsam itself and cannot be set.")
    near = get_close_matches(attribute, settable, n=3)
    hint = f"Did you mean {' or '.join(near)}?" if near else f"Attributes: {', '.join(settable)}."
    raise UsageError(f"There is no attribute {attribute!r}. {hint}")


def convert(field: "models.Field[Any, Any]", text: str) -> Any:
    """Return what ``text`` means for a column: by the column's type, not by its present value.

    Raises UsageError, with what is expected, if it means nothing.
    """
    if field.null and text.strip().lower() in ("null", "none", ""):
        return None
    for kind, parse in _PARSERS:
        if isinstance(field, kind):
            value = parse(field.name, text)
            require_row(field, value)
            return value
    return text


def require_row(field: "models.Field[Any, Any]", key: Any) -> None:
    """Raise UsageError if a column that refers to a row would refer to none."""
    if not isinstance(field, models.ForeignKey):
        return
    if not field.related_model._default_manager.filter(pk=key).exists():
        raise UsageError(f"There is no {field.name} {key}.")


def parse_flag(name: str, text: str) -> bool:
    """Return True or False for the words people use."""
    value = _TRUTH.get(text.strip().lower())
    if value is None:
        raise UsageError(f"{name} is true or false, not {text!r}.")
    return value


def parse_integer(name: str, text: str) -> int:
    """Return a whole number."""
    try:
        return int(text)
    except ValueError:
        raise UsageError(f"{name} is a whole number, not {text!r}.") from None


def parse_number(name: str, text: str) -> float:
    """Return a finite number."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise UsageError(f"{name} is a number, not {text!r}.")
    return number


def parse_json(name: str, text: str) -> Any:
    """Return the value of a JSON text; numbers too large for JSON and the like are refused."""
    try:
        value = json.loads(text)
        json.dumps(value, allow_nan=False)
        return value
    except ValueError as error:
        raise UsageError(f"{name} is JSON, such as '{{\"x\": 1}}', and {text!r} is not: {error}.") from None


def parse_object(name: str, text: str) -> dict[str, Any]:
    """Return a JSON object."""
    value = parse_json(name, text)
    if not isinstance(value, dict):
        raise UsageError(f"{name} is a JSON object, such as '{{\"x\": 1}}', not {text!r}.")
    return value


def parse_variables(name: str, text: str) -> dict[str, str]:
    """Return environment variables given as ``A=1:B=2`` or as a JSON object."""
    return parse_environ(parse_object(name, text) if text.lstrip().startswith("{") else text)


#: The first that fits the column wins.
_PARSERS: tuple[tuple[type, Callable[[str, str], Any]], ...] = (
    (models.ForeignKey, parse_integer),
    (models.BooleanField, parse_flag),
    (models.IntegerField, parse_integer),
    (models.FloatField, parse_number),
    (EnvironField, parse_variables),
    (models.JSONField, parse_object),
)
