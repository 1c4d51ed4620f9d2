"""Insert new jobs, with the edges to their parents, all or none.

The first state is written with the row: a job that has nothing to wait for is PREPROCESSED when it is saved,
and none is ever visible without its parents.
"""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING

from django.db import transaction

from balsam.core import columns, sql, transitions
from balsam.core.copying import copy_jobs
from balsam.core.lifecycle import Facts, settle
from balsam.core.models.transfer import TransferItem
from balsam.core.new_families import NewFamilies
from balsam.core.retrying import retrying_conflicts
from balsam.states import JobState as S

if TYPE_CHECKING:
    from balsam.core.models.job import BalsamJob

#: What the row of a new job holds, whatever its object does.
_FRESH = {
    "lock": "",
    "session_id": None,
    "attempt": 0,
    "timeouts": 0,
    "errors": 0,
    "return_code": None,
    "pending_parents": 0,
    "hook_moved": False,
}
#: Filled in by the database, and read when somebody asks.
_READ_LATER = ("number", "created", "last_update")
#: Asked for, these mean that the job is to start where its work begins.
_FROM_THE_START = (S.CREATED, S.AWAITING_PARENTS)
_LEFT_OUT = frozenset((*_FRESH, *_READ_LATER)) - {"pending_parents"}


@retrying_conflicts
def insert(jobs: Sequence["BalsamJob"]) -> None:
    """Insert new jobs; each starts where work begins.

    Raises UsageError for impossible values, InvalidParentsError for unknown parents, CycleError for jobs that
    are parents of each other; then nothing is inserted.
    """
    for job in jobs:
        _freshen(job)
    children = [job for job in jobs if job._new_parents]
    hooks = _hooks(jobs)
    moving = [job for job in jobs if job._new_transfers or job.stage_in_url or job.stage_out_url]
    with transaction.atomic() if children or moving or len(jobs) > 1 else nullcontext():
        families = NewFamilies(jobs, children)
        pending = list(map(families.pending, jobs)) if children else [0] * len(jobs)
        states = _first_states(jobs, hooks, pending)
        copy_jobs(jobs, {"state": states, "pending_parents": pending}, _LEFT_OUT)
        _add_transfers(moving, dict(zip((job.job_id for job in jobs), states, strict=True)))
        families.link()
    for job, state, count in zip(jobs, states, pending, strict=True):
        job.__dict__.update(state=state, pending_parents=count)
        _mark_saved(job)
    for job in children if families.doomed else ():
        job.refresh_from_db(fields=["state", "pending_parents"])


def _freshen(job: "BalsamJob") -> None:
    job.__dict__.update(_FRESH)
    if type(job.job_id) is not uuid.UUID or type(job.application) is not str:
        columns.clean_job(job, ["job_id", "application"])


def _hooks(jobs: Iterable["BalsamJob"]) -> dict[str, bool]:
    """Application -> whether it has a preprocess hook, for those that exist."""
    names = list(filter(columns.is_storable_text, {job.application for job in jobs}))
    return dict(sql.fetch("known_apps", names=names))


def _first_states(
    jobs: Sequence["BalsamJob"], hooks: Mapping[str, bool], pending: Sequence[int]
) -> list[str]:
    settled: dict[tuple[str, bool, bool], str] = {}
    states = []
    for job, count in zip(jobs, pending, strict=True):
        if job.state not in _FROM_THE_START:
            states.append(transitions.user_state(job.state).value)
            continue
        stages_in = _transfers_in(job) or bool(job.input_files and job._new_parents)
        case = (job.application, stages_in, count > 0 and bool(job.wait_for_parents))
        if case not in settled:
            settled[case] = _first_state(hooks.get(job.application), *case[1:])
        states.append(settled[case])
    return states


def _first_state(has_preprocess: bool | None, stages_in: bool, waits: bool) -> str:
    facts = Facts(
        app_known=has_preprocess is not None,
        has_preprocess=bool(has_preprocess),
        transfers_in=stages_in,
        pending_parents=int(waits),
    )
    return [S.CREATED, *(state for state, _ in settle(S.CREATED, facts))][-1].value


def _transfers_in(job: "BalsamJob") -> bool:
    slots = any(item.direction == "in" for item in job._new_transfers)
    return slots or (isinstance(job.stage_in_url, str) and bool(job.stage_in_url.strip()))


def _add_transfers(jobs: Sequence["BalsamJob"], states: Mapping[uuid.UUID, str]) -> None:
    """Insert the transfers of new jobs, and have those done that their jobs wait for."""
    if not jobs:
        return
    for job in jobs:
        for item in job._new_transfers:
            item.job_id = job.job_id
    TransferItem.objects.bulk_create([item for job in jobs for item in job._new_transfers])
    for state, direction in ((S.READY, "in"), (S.POSTPROCESSED, "out")):
        if waiting := {job.job_id: job.site_id for job in jobs if states[job.job_id] == state}:
            transitions.open_transfers(waiting, direction)


def _mark_saved(job: "BalsamJob") -> None:
    values = job.__dict__
    job._state.adding = False
    job._state.db = "default"
    for name in _READ_LATER:
        values.pop(name, None)
    values.pop("_new_parents", None)
    values.pop("_new_transfers", None)
    job.remember_saved()
