"""What Globus is asked for, and what its answers say of each move; nothing is asked here.

See https://docs.globus.org/api/transfer/task_submit/ and https://docs.globus.org/api/transfer/task/.
"""

import re
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from balsam.lib.beneath import is_below

__all__ = [
    "Item",
    "Outcome",
    "consents_of",
    "failure_of",
    "has_part",
    "is_done",
    "skipped_of",
    "stray_of",
    "trouble_of",
]

Document = Mapping[str, Any]

#: With these, trying again is of no use.
_FINAL = (
    *("FILE_NOT_FOUND", "PERMISSION_DENIED", "IS_A_DIRECTORY", "IS_A_FILE", "NOT_A_DIRECTORY", "NOT_A_FILE"),
    *("INVALID_PATH_NAME", "AMBIGUOUS_PATH", "INVALID_SYMLINK"),
)
_WELL = ("", "OK", "QUEUED")
_LONGEST = 2_000


@dataclass(frozen=True, slots=True)
class Item:
    """One file or directory of a move, as the two endpoints call it; ``recursive`` None: Globus finds out."""

    source: str
    destination: str
    recursive: bool | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """Why a move was not done."""

    words: str
    is_final: bool


def trouble_of(task: Document) -> str:
    """Return what a task that has not ended waits for; '' where it goes on by itself."""
    if task["status"] == "INACTIVE":
        return "The login of an endpoint has expired"
    if task.get("is_paused"):
        return "The task is paused"
    status = str(task.get("nice_status") or "")
    if status.upper() in _WELL:
        return ""
    told = str(task.get("nice_status_short_description") or "")
    return status if told in ("", status) else f"{status}: {told}"


def skipped_of(items: Sequence[Item], skipped: Iterable[Document], *, is_alone: bool) -> Outcome | None:
    """Return what was not found, or not to be read, of a move; None: nothing.

    All is of a move that ``is_alone``. Paths may come back by another name (``~``), or not at all.
    """
    for error in skipped:
        path = error.get("source_path") or ""
        if is_alone or any(is_below(path, item.source) for item in items):
            code = str(error.get("error_code") or "")
            return Outcome(_left_out(error), code in _FINAL)
    return None


def stray_of(items: Sequence[Item], skipped: Iterable[Document]) -> Outcome | None:
    """Return what was left out of a task, and may be of any of its ``items``; None: nothing."""
    for error in skipped:
        path = error.get("source_path") or ""
        if not any(is_below(path, item.source) for item in items):
            return Outcome(f"Globus left something out of the task: {_left_out(error)}", is_final=False)
    return None


def failure_of(
    task: Document, items: Sequence[Item], events: Iterable[Document], *, is_alone: bool
) -> Outcome:
    """Return why a move of a task that has failed was not done, by what is said of its files.

    Of what is said of no file, trying again may help, unless the move ``is_alone``.
    """
    named = [_named(path) for item in items for path in (item.source, item.destination)]
    for event in events:
        details = str(event.get("details") or "")
        if event.get("is_error") and any(name.search(details) for name in named):
            code = str(event.get("code") or "")
            return Outcome(_joined(code, details, event.get("description")), code in _FINAL)
    error = task.get("fatal_error") or {}
    code = str(error.get("code") or "FAILED")
    words = f"The Globus task {task['task_id']} failed: {_joined(code, error.get('description'))}"
    return Outcome(words, is_alone and code in _FINAL)


def is_done(items: Iterable[Item], files: Container[str]) -> bool:
    """Say whether all of a move is among the files that a task has copied; of trees that is not known."""
    return all(item.destination in files for item in items)


def has_part(items: Iterable[Item], files: Iterable[str]) -> bool:
    """Say whether a task has copied something for each item of a move."""
    return all(any(is_below(path, item.destination) for path in files) for item in items)


def consents_of(scopes: Iterable[str]) -> list[str]:
    """Return the endpoints whose data a consent is needed for."""
    found = re.findall(r"/scopes/([0-9A-Fa-f-]{36})/data_access", " ".join(scopes))
    return list(dict.fromkeys(found))


def _named(path: str) -> re.Pattern[str]:
    """Return what finds a path, or one below it, among words, and no other that begins or ends like it."""
    return re.compile(rf"(?<![^\s\"':=]){re.escape(path.rstrip('/'))}(?=/|$|[\"'])", re.MULTILINE)


def _left_out(error: Document) -> str:
    return _joined(error.get("error_code"), error.get("error_details"), error.get("source_path"))


def _joined(*parts: object) -> str:
    """Join what was told, each thing once."""
    told: list[str] = []
    for part in parts:
        text = str(part or "").strip()
        if text and not any(text in other for other in told):
            told.append(text)
    return ": ".join(told)[:_LONGEST]
