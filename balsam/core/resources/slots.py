"""What a job says of the transfer slots of its application, checked, as transfers."""

import difflib
import posixpath
from collections.abc import Mapping
from typing import Any

from balsam.core.columns import is_storable_text
from balsam.core.models import ApplicationDefinition, TransferItem
from balsam.exceptions import UsageError

__all__ = ["check_slots", "filled_slots"]

_LONGEST = 4096


def filled_slots(app: ApplicationDefinition, given: Mapping[str, Any]) -> tuple[TransferItem, ...]:
    """Return the transfers of a new job; raises UsageError for a slot, alias or path that cannot be."""
    slots: Mapping[str, Mapping[str, Any]] = app.transfers
    for name in given:
        if name not in slots:
            raise UsageError(f"{app.short_name} has no transfer slot {name!r}.{_hint(name, slots)}")
    needed = [name for name, slot in slots.items() if slot.get("required", True) and name not in given]
    if needed:
        raise UsageError(
            f"{app.short_name} needs the transfer {', '.join(needed)}: give "
            f"transfers={{{needed[0]!r}: 'ALIAS:/absolute/path'}}."
        )
    return tuple(_filled(app, name, slots[name], where) for name, where in given.items())


def check_slots(transfers: Mapping[str, Any]) -> None:
    """Raise UsageError for slots of an application that are impossible."""
    for name, slot in transfers.items():
        if not isinstance(slot, Mapping) or slot.get("direction") not in ("in", "out"):
            raise UsageError(f"The direction of the transfer {name!r} is in or out: {slot!r}.")
        path = slot.get("local_path")
        if not isinstance(path, str) or not is_storable_text(path) or "\n" in path or "\r" in path:
            raise UsageError(f"The local_path of the transfer {name!r} is no path: {path!r}.")
        if path.startswith("/") or ".." in path.split("/") or not path:
            raise UsageError(
                f"The local_path {path!r} of the transfer {name!r} is not below the working directory: give "
                "a relative path without `..`."
            )


def _filled(app: ApplicationDefinition, name: str, slot: Mapping[str, Any], where: Any) -> TransferItem:
    alias, path = _place(name, where)
    site: Any = app.site  # a Site, which the stubs take for its id
    known = site.transfer_locations
    if alias not in known:
        raise UsageError(
            f"The site {site.name} has no transfer location {alias!r}, which the transfer {name!r} "
            f"names.{_hint(alias, known)} They are in its settings.yml: transfers.transfer_locations."
        )
    return TransferItem(
        slot=name,
        direction=slot["direction"],
        location_alias=alias,
        remote_path=_checked_path(name, path),
        local_path=slot["local_path"],
        recursive=bool(slot.get("recursive", False)),
    )


def _place(name: str, where: Any) -> tuple[str, str]:
    if isinstance(where, str) and ":" in where:
        alias, _, path = where.partition(":")
        return alias, path
    if isinstance(where, Mapping) and set(where) == {"location_alias", "path"}:
        return str(where["location_alias"]), str(where["path"])
    raise UsageError(
        f"The transfer {name!r} is {where!r}; give 'ALIAS:/absolute/path', or location_alias and path."
    )


def _checked_path(name: str, path: str) -> str:
    """Return a path in its plainest form; raises UsageError for one that is not absolute, or leads upward."""
    reason = ""
    if not path.startswith("/"):
        reason = "it is not absolute"
    elif ".." in path.split("/"):
        reason = "it has `..` in it"
    elif not is_storable_text(path) or "\n" in path or "\r" in path:
        reason = "it has a character in it that no path can have: NUL, a line break, or what is no text"
    elif len(path) > _LONGEST:
        reason = f"it is longer than {_LONGEST} characters"
    if reason:
        raise UsageError(f"The path of the transfer {name!r} cannot be {path[:200]!r}: {reason}.")
    plain = "/" + posixpath.normpath(path).lstrip("/")
    return plain + "/" if path.endswith("/") and plain != "/" else plain


def _hint(name: str, known: Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    if close:
        return f" Did you mean {close[0]!r}?"
    return f" It has: {', '.join(known)}." if known else " It has none."
