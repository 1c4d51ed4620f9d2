"""Create, check, find and delete jobs."""

import re
import uuid
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from django.db import transaction

from balsam.core import notices, sql, transitions
from balsam.core.copying import copy_rows
from balsam.core.lifecycle import Facts, settle
from balsam.core.models.application import ApplicationDefinition
from balsam.exceptions import AmbiguousError, InvalidParentsError, NotFoundError, UsageError
from balsam.states import HOOK_STATES, RUNNABLE_STATES
from balsam.states import JobState as S

if TYPE_CHECKING:
    from balsam.core.models.job import BalsamJob

_POSITIVE = ("num_nodes", "ranks_per_node", "threads_per_rank", "threads_per_core", "node_packing_count")
_NOT_NEGATIVE = ("wall_time_minutes", "gpus_per_rank", "memory_mb_per_node", "max_timeout_retries", "max_error_retries")
_POLICIES = ("fail", "ignore", "hold")


def check(batch: Iterable["BalsamJob"]) -> None:
    """Raise UsageError for the first job whose numbers or policy cannot be."""
    for job in batch:
        values = job.__dict__
        for name in _POSITIVE:
            if values.get(name, 1) < 1:
                raise UsageError(f"{name} of job {job.cute_id} is {values[name]}; it must be 1 or more.")
        for name in _NOT_NEGATIVE:
            if values.get(name, 0) < 0:
                raise UsageError(f"{name} of job {job.cute_id} is {values[name]}; it must be 0 or more.")
        if values.get("on_parent_failure", "fail") not in _POLICIES:
            raise UsageError(
                f"on_parent_failure of job {job.cute_id} is {values['on_parent_failure']!r}; "
                f"it must be one of {', '.join(_POLICIES)}."
            )


def insert(batch: Sequence["BalsamJob"]) -> None:
    """Insert new jobs with the edges to their new parents, all or none; each starts where work begins.

    Raises UsageError for impossible values, InvalidParentsError for unknown parents.
    """
    check(batch)
    with transaction.atomic():
        apps = {app.name: app for app in ApplicationDefinition.objects.filter(name__in={j.application for j in batch})}
        events = []
        asked = {job.job_id: job.state for job in batch}
        for job in batch:
            steps = [] if job._new_parents else _first_steps(job, apps.get(job.application))
            if job._new_parents and asked[job.job_id] == S.CREATED:
                steps = [(S.AWAITING_PARENTS, "")]
            came_from = S.CREATED
            for state, message in steps:
                events.append((job.job_id, came_from.value, state.value, message))
                came_from = state
            job.state = came_from.value
        copy_rows(batch)
        _record(events)
        _link(batch)
        if any(job.state in RUNNABLE_STATES or job.state in HOOK_STATES for job in batch):
            notices.notify(notices.WORK)
    for job in batch:
        job._state.adding = False
        job._state.db = "default"
        for name in ("number", "created", "last_update"):
            job.__dict__.pop(name, None)  # read from the database when somebody asks
        if job._new_parents:
            job._new_parents = ()
            job.refresh_from_db(fields=["state", "pending_parents"])
        job.remember_saved()


def _first_steps(job: "BalsamJob", app: ApplicationDefinition | None) -> list[tuple[S, str]]:
    """States a new job without parents goes through at once."""
    if job.state != S.CREATED:
        return [(transitions.user_state(job.state), "")]
    facts = Facts(
        app_known=app is not None,
        has_preprocess=app is not None and bool(app.preprocess),
        stages_in=bool(job.stage_in_url),
    )
    return list(settle(S.CREATED, facts))


def _record(events: list[tuple[uuid.UUID, str, str, str]]) -> None:
    if events:
        ids, came_from, states, messages = zip(*events, strict=True)
        sql.run(
            "record_events",
            ids=[str(job_id) for job_id in ids],
            from_states=list(came_from),
            to_states=list(states),
            messages=list(messages),
        )


def _link(batch: Sequence["BalsamJob"]) -> None:
    from balsam.core.models.dependency import JobDependency

    children = [job for job in batch if job._new_parents]
    if not children:
        return
    known = set(type(children[0]).objects.filter(pk__in={p for j in children for p in j._new_parents}).job_ids())
    for job in children:
        for parent in job._new_parents:
            if parent not in known:
                raise InvalidParentsError(f"Job {job.cute_id} names the parent {parent}, which is not in the database.")
    JobDependency.objects.bulk_create(
        JobDependency(parent_id=parent, child_id=job.job_id) for job in children for parent in job._new_parents
    )
    transitions.re_evaluate(job.job_id for job in children)


@transitions.retrying
def delete(ids: Iterable[uuid.UUID]) -> int:
    """Delete jobs with their edges and history; return how many.

    Children that wait for a deleted job fail, go on or stay by their ``on_parent_failure``; a running job is
    stopped by its launcher.
    """
    wanted = list(ids)
    with transaction.atomic():
        return transitions.delete(wanted)


def find_one(fragment: str) -> "BalsamJob":
    """Return the one job whose id contains ``fragment``, in either case.

    Raises NotFoundError or AmbiguousError.
    """
    from balsam.core.models import BalsamJob

    found = list(BalsamJob.objects.filter(job_id__in=_ids_like(fragment)).order_by("number")[:3])
    if not found:
        raise NotFoundError(f"No job has an id that contains {fragment!r}. `balsam ls` shows the ids.")
    if len(found) > 1:
        raise AmbiguousError(
            f"Several jobs have an id that contains {fragment!r}: "
            + ", ".join(job.cute_id for job in found)
            + ("…" if len(found) > 2 else "")
            + ". Give more of the id."
        )
    return found[0]


def _ids_like(fragment: str) -> list[uuid.UUID]:
    """Ids that contain a fragment, at most a few."""
    if not re.fullmatch(r"[0-9a-f-]*[0-9a-f][0-9a-f-]*", fragment.lower()):
        return []
    with suppress(ValueError):
        return [uuid.UUID(fragment)]
    return [job_id for (job_id,) in sql.fetch("ids_like", fragment=fragment.lower())]
