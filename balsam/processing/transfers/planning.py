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
from balsam.lib.beneath import is_below, relative_parts
from balsam.platform.transfer import Batch, Move, Place, parse_address, parse_location
from balsam.processing.patterns import matches_inside, words
from balsam.schemas.transfers import TransferSpec

__all__ = ["Plan", "as_batch", "batches", "namesakes", "plan"]

_WILD = re.compile(r"[*?\[]")
#: Transports of this machine expand patterns themselves, and `~`.
_HERE = ("local", "link")


@dataclass(frozen=True, slots=True)
class Plan:
    """What one transfer means: a move from or to a place, and notes for the history.

    The path at that place is the move's: those of one batch have the same place.
    """

    spec: TransferSpec
    place: Place
    move: Move
    notes: tuple[str, ...] = ()


def plan(spec: TransferSpec, locations: Mapping[str, str] | None) -> Plan:
    """Plan a transfer; ``locations`` are those of the site's own settings, None: as its record has them.

    Raises UsageError and StepError for what cannot be; a plan to take out nothing has no ``local``.
    """
    place, path, top = _place(spec, locations)
    is_in = spec.direction == "in"
    move = Move(
        item_id=spec.item_id,
        remote=path,
        recursive=spec.recursive,
        is_pattern=is_in and not spec.slot and (place.transport in _HERE or _WILD.search(path) is not None),
        is_directory=not (is_in or spec.slot),
        top=top,
        task_id=spec.task_id,
    )
    if is_in:
        return Plan(spec, place, move)
    return Plan(spec, place, _of_slot(spec, move)) if spec.slot else _of_patterns(spec, place, move)


def _place(spec: TransferSpec, locations: Mapping[str, str] | None) -> tuple[Place, str, str]:
    """Return where the transfer's other end is, its path there, and the directory it has to be in."""
    if not spec.slot:
        place = parse_address(spec.remote_path)
        return replace(place, path=""), place.path, ""
    known = locations.get(spec.location_alias, "") if locations is not None else spec.location
    if not known:
        raise UsageError(
            f"This site has no transfer location {spec.location_alias!r}: see transfers.transfer_locations "
            "in its settings.yml."
        )
    place, top = _location(spec.location_alias, known)
    path = spec.remote_path
    if top and not is_below(path, top):
        raise UsageError(
            f"{spec.location_alias}:{path} is not below {top or '/'}, to which the location is confined."
        )
    return place, path, top


@lru_cache(256)
def _location(alias: str, text: str) -> tuple[Place, str]:
    location = parse_location(alias, text)
    return replace(location, path=""), location.path.rstrip("/")


def _of_patterns(spec: TransferSpec, place: Place, move: Move) -> Plan:
    notes: list[str] = []
    found: dict[str, str] = {}
    for pattern in words(spec.local_path):
        names = matches_inside(spec.workdir, pattern)
        if not names:
            notes.append(f"Nothing to stage out matches {pattern!r}")
        for name in names:
            _add(found, os.path.join(spec.workdir, name), move.remote)
    return Plan(spec, place, replace(move, local=tuple(found.values())), tuple(notes))


def _add(found: dict[str, str], path: str, target: str) -> None:
    name = os.path.basename(path)
    other = found.setdefault(name, path)
    if other != path:
        raise StepError(
            f"Both {other} and {path} would be copied to {os.path.join(target, name)}. "
            "Rename one, or name the directories that hold them."
        )


def _of_slot(spec: TransferSpec, move: Move) -> Move:
    try:
        parts = relative_parts(spec.local_path)
    except ValueError as error:
        raise UsageError(f"The local_path of the transfer {spec.slot!r}: {error}.") from None
    if not parts and not spec.recursive:
        parts = [posixpath.basename(move.remote.rstrip("/"))]
    local = os.path.join(spec.workdir, *parts)
    if move.remote.endswith("/") and not spec.recursive:
        move = replace(move, remote=posixpath.join(move.remote, os.path.basename(local)))
    return replace(move, local=(local,))


def namesakes(plans: Iterable[Plan]) -> dict[int, str]:
    """Return why transfers cannot be done that would bring another file of a job's own name; by their number.

    These are addresses of `stage_in_url`, whose files keep their names. Wildcards are not looked into.
    """
    seen: dict[tuple[str, str], str] = {}
    found = {}
    for one in plans:
        path = one.spec.remote_path
        if one.spec.slot or one.spec.direction != "in" or _WILD.search(one.move.remote):
            continue
        name = _name(one)
        other = seen.setdefault((one.spec.job_id, name), path)
        if other != path:
            target = os.path.join(one.spec.workdir, name)
            found[one.spec.item_id] = (
                f"Both {other} and {path} would be brought to {target}. "
                "Rename one, or name the directories that hold them."
            )
    return found


def _name(one: Plan) -> str:
    """Return the name that a file or directory has here."""
    path = one.move.remote
    if one.place.transport in ("http", "https"):
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
        one.place,
        one.spec.data_path,
        one.move.recursive,
        is_home,
    )


def as_batch(plans: Sequence[Plan]) -> Batch:
    """Return what a transport is given of plans that go together."""
    return Batch(plans[0].spec.direction, plans[0].place, tuple(one.move for one in plans))
