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
    with transaction.atomic() if children or len(jobs) > 1 else nullcontext():
        families = NewFamilies(jobs, children)
        pending = list(map(families.pending, jobs)) if children else [0] * len(jobs)
        states = _first_states(jobs, hooks, pending)
        copy_jobs(jobs, {"state": states, "pending_parents": pending}, _LEFT_OUT)
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
        stages_in = bool(job.stage_in_url or (job.input_files and job._new_parents))
        case = (job.application, stages_in, count > 0 and bool(job.wait_for_parents))
        if case not in settled:
            settled[case] = _first_state(hooks.get(job.application), *case[1:])
        states.append(settled[case])
    return states


def _first_state(has_preprocess: bool | None, stages_in: bool, waits: bool) -> str:
    facts = Facts(
        app_known=has_preprocess is not None,
        has_preprocess=bool(has_preprocess),
        stages_in=stages_in,
        pending_parents=int(waits),
    )
    return [S.CREATED, *(state for state, _ in settle(S.CREATED, facts))][-1].value


def _mark_saved(job: "BalsamJob") -> None:
    values = job.__dict__
    job._state.adding = False
    job._state.db = "default"
    for name in _READ_LATER:
        values.pop(name, None)
    values.pop("_new_parents", None)
    job.remember_saved()
