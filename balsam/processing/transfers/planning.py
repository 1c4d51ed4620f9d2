"""Decide what goes where, and together: transfers become moves of a place, moves become batches. Pure.

Reads no file but the names that patterns in a working directory match.
"""

import os
import posixpath
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from urllib.parse import unquote, urlsplit

from balsam.exceptions import StepError, UsageError
from balsam.lib.beneath import relative_parts
from balsam.platform.transfer import Batch, Move, Place, parse_address, parse_location
from balsam.processing.patterns import matches_inside, words
from balsam.schemas.transfers import TransferSpec

__all__ = ["Plan", "as_batch", "batches", "namesakes", "plan"]

_WILD = re.compile(r"[*?\[]")
#: Transports of this machine expand patterns themselves, and `~`.
_HERE = ("local", "link")


@dataclass(frozen=True, slots=True)
class Plan:
    """What one transfer means: a move from or to a place, and notes for the history."""

    spec: TransferSpec
    place: Place
    move: Move
    notes: tuple[str, ...] = ()


def plan(spec: TransferSpec, locations: Mapping[str, str] | None) -> Plan:
    """Plan a transfer; ``locations`` are those of the site's own settings, None: as its record has them.

    Raises UsageError and StepError for what cannot be; a plan to take out nothing has no ``local``.
    """
    place, top = _place(spec, locations)
    move = Move(
        item_id=spec.item_id, remote=place.path, recursive=spec.recursive, top=top, task_id=spec.task_id
    )
    if spec.direction == "in":
        may_match = place.transport in _HERE or _WILD.search(place.path) is not None
        is_pattern = not spec.slot and may_match
        return Plan(spec, place, replace(move, is_pattern=is_pattern))
    if not spec.slot:
        return _of_patterns(spec, place, replace(move, is_directory=True))
    return Plan(spec, place, _of_slot(spec, place, move))


def _place(spec: TransferSpec, locations: Mapping[str, str] | None) -> tuple[Place, str]:
    """Return where the transfer's other end is, with its path there, and the directory it has to be in."""
    if not spec.slot:
        return parse_address(spec.remote_path), ""
    known = locations.get(spec.location_alias, "") if locations is not None else spec.location
    if not known:
        raise UsageError(
            f"This site has no transfer location {spec.location_alias!r}: see transfers.transfer_locations "
            "in its settings.yml."
        )
    location = _location(spec.location_alias, known)
    top = location.path.rstrip("/")
    path = spec.remote_path
    if top and path != top and not path.startswith(top + "/"):
        raise UsageError(
            f"{spec.location_alias}:{path} is not below {top or '/'}, to which the location is confined."
        )
    return replace(location, path=path), top


@lru_cache(256)
def _location(alias: str, text: str) -> Place:
    return parse_location(alias, text)


def _of_patterns(spec: TransferSpec, place: Place, move: Move) -> Plan:
    notes: list[str] = []
    found: dict[str, str] = {}
    for pattern in words(spec.local_path):
        names = matches_inside(spec.workdir, pattern)
        if not names:
            notes.append(f"Nothing to stage out matches {pattern!r}")
        for name in names:
            _add(found, os.path.join(spec.workdir, name), place.path)
    return Plan(spec, place, replace(move, local=tuple(found.values())), tuple(notes))


def _add(found: dict[str, str], path: str, target: str) -> None:
    name = os.path.basename(path)
    other = found.setdefault(name, path)
    if other != path:
        raise StepError(
            f"Both {other} and {path} would be copied to {os.path.join(target, name)}. "
            "Rename one, or name the directories that hold them."
        )


def _of_slot(spec: TransferSpec, place: Place, move: Move) -> Move:
    try:
        parts = relative_parts(spec.local_path)
    except ValueError as error:
        raise UsageError(f"The local_path of the transfer {spec.slot!r}: {error}.") from None
    if not parts and not spec.recursive:
        parts = [posixpath.basename(place.path.rstrip("/"))]
    local = os.path.join(spec.workdir, *parts)
    if place.path.endswith("/") and not spec.recursive:
        move = replace(move, remote=posixpath.join(place.path, os.path.basename(local)))
    return replace(move, local=(local,))


def namesakes(plans: Iterable[Plan]) -> dict[int, str]:
    """Return why transfers cannot be done that would bring another file of a job's own name; by their number.

    These are addresses of `stage_in_url`, whose files keep their names. Wildcards are not looked into.
    """
    seen: dict[tuple[str, str], str] = {}
    found = {}
    for one in plans:
        path = one.spec.remote_path
        if one.spec.slot or one.spec.direction != "in" or _WILD.search(one.place.path):
            continue
        other = seen.setdefault((one.spec.job_id, _name(one.place)), path)
        if other != path:
            target = os.path.join(one.spec.workdir, _name(one.place))
            found[one.spec.item_id] = (
                f"Both {other} and {path} would be brought to {target}. "
                "Rename one, or name the directories that hold them."
            )
    return found


def _name(place: Place) -> str:
    """Return the name that a file or directory has here."""
    path = place.path
    if place.transport in ("http", "https"):
        path = unquote(urlsplit(path).path)
    return posixpath.basename(path.rstrip("/"))


def batches(plans: Iterable[Plan], size: int) -> list[list[Plan]]:
    """Group plans by direction and place, the largest groups first, and cut them."""
    groups: dict[object, list[Plan]] = defaultdict(list)
    for one in plans:
        groups[_key(one)].append(one)
    ordered = sorted(groups.values(), key=len, reverse=True)
    return [group[start : start + size] for group in ordered for start in range(0, len(group), size)]


def _key(one: Plan) -> object:
    # trees, and paths below the home directory, cannot be named in one list with others
    is_home = not one.move.remote.startswith("/")
    # of those that fail again and again, one may be what fails the others
    alone = one.spec.item_id if one.spec.failures > 1 else 0
    return (
        alone,
        one.spec.task_id,
        one.spec.direction,
        replace(one.place, path=""),
        one.spec.data_path,
        one.move.recursive,
        is_home,
    )


def as_batch(plans: Sequence[Plan]) -> Batch:
    """Return what a transport is given of plans that go together."""
    place = replace(plans[0].place, path="")
    return Batch(plans[0].spec.direction, place, tuple(one.move for one in plans))
