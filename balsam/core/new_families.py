"""The parents of jobs that are about to be inserted: they exist, do not end meanwhile, and close no cycle."""

import uuid
from collections.abc import Sequence
from graphlib import CycleError as Knot
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING

from balsam.core import transitions
from balsam.core.copying import copy_edges
from balsam.exceptions import CycleError, InvalidParentsError
from balsam.states import JobState as S

if TYPE_CHECKING:
    from balsam.core.models.job import BalsamJob


class NewFamilies:
    """Parents of new jobs, old jobs or new ones themselves; lives in the inserting transaction."""

    def __init__(self, jobs: Sequence["BalsamJob"], children: Sequence["BalsamJob"]) -> None:
        self.doomed: list[BalsamJob] = []
        self._children = children
        self._states: dict[uuid.UUID, S] = {}
        if not children:
            return
        new = {job.job_id: transitions.user_state(job.state) for job in jobs}
        parents = {parent for job in children for parent in job._new_parents}
        transitions.share_families()
        self._states = {**transitions.lock_against_end(parents - new.keys()), **new}
        for job in children:
            for parent in job._new_parents:
                if parent not in self._states:
                    raise InvalidParentsError(
                        f"Job {job.cute_id} names the parent {parent}, which is not in the database."
                    )
        _refuse_cycle({job.job_id: [p for p in job._new_parents if p in new] for job in children})

    def pending(self, job: "BalsamJob") -> int:
        """Count the parents a new job has to wait for, and remember it if one of them will never finish."""
        if not job._new_parents:
            return 0
        states = [self._states[parent] for parent in job._new_parents]
        unfinished = sum(state is not S.JOB_FINISHED for state in states)
        if unfinished and any(state in (S.FAILED, S.USER_KILLED) for state in states):
            self.doomed.append(job)
        return unfinished

    def link(self) -> None:
        """Insert the edges; jobs with a parent that will never finish then fail or go on by their policy."""
        copy_edges([(parent, job.job_id) for job in self._children for parent in job._new_parents])
        if self.doomed:
            transitions.follow_parents(job.job_id for job in self.doomed)


def _refuse_cycle(parents: dict[uuid.UUID, list[uuid.UUID]]) -> None:
    try:
        TopologicalSorter(parents).prepare()
    except Knot as knot:
        path = " -> ".join(map(str, knot.args[1]))
        raise CycleError(f"These new jobs depend on each other, so none could ever run: {path}.") from None
