"""Tell a site what an application class says: create its record, or change it and keep the id."""

import inspect
from typing import TYPE_CHECKING, Any

from balsam.api.models import App
from balsam.api.serializing import dump_class
from balsam.exceptions import ConflictError
from balsam.schemas.fields import Record

if TYPE_CHECKING:
    from balsam.api.application import ApplicationDefinition

__all__ = ["sync"]


def sync(given: "type[ApplicationDefinition]", rename_from: str | None = None, class_path: str = "") -> int:
    """Create or change the record of a class, and return its id. ``class_path``: it stays in a file there.

    Raises App.DoesNotExist when there is neither one of its name nor of ``rename_from``.
    """
    site_id = given.resolve_site_id()
    found = _find(site_id, given.__name__, rename_from)
    if found is None:
        try:
            return App.objects.create(site_id=site_id, **record_of(given, class_path)).id
        except ConflictError:  # somebody else was quicker
            found = App.objects.get(site_id=site_id, name=given.__name__)
    record = record_of(given, class_path, stored=found.serialized_class)
    App.objects.filter(id=found.id).update(**record)
    return found.id


def _find(site_id: int, name: str, rename_from: str | None) -> App | None:
    present = {app.name: app for app in App.objects.filter(site_id=site_id)}
    if rename_from is None or rename_from not in present:
        if rename_from is not None and name not in present:
            raise App.DoesNotExist(
                f"There is no application {rename_from!r} at the site to be renamed to {name!r}."
            )
        return present.get(name)
    if name in present:
        raise ConflictError(
            f"There are both {rename_from!r} and {name!r} at the site: `balsam app rm` one of them first."
        )
    return present[rename_from]


def record_of(given: "type[ApplicationDefinition]", class_path: str = "", stored: str = "") -> Record:
    """Return what the site is told of a class. ``stored`` is its serialized form as the site has it."""
    hooks = given.overridden_hooks()
    template = getattr(given, "command_template", "")
    is_sent = not class_path and (hooks or not template)
    return {
        "name": given.__name__,
        "description": _description(given),
        "command_template": template,
        "parameters": dict(given.parameters),
        "transfers": dict(given.transfers),
        "environment_variables": dict(given.environment_variables),
        "cleanup_files": list(given.cleanup_files),
        "hooks": hooks,
        "python_exe": given.python_exe,
        "class_path": class_path,
        "serialized_class": dump_class(given, stored) if is_sent else "",
        "source_code": _source(given),
    }


def _description(given: type) -> str:
    return inspect.cleandoc(given.__dict__.get("__doc__") or "")


def _source(given: Any) -> str:
    """Return the text of the class; '' where there is none, as at a prompt."""
    try:
        return inspect.getsource(given)
    except (OSError, TypeError):
        return ""
