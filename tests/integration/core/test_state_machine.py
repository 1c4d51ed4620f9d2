"""Random operations of users, launchers and processing components leave every invariant intact.

Besides the invariants of the database, the machine keeps the ledger of a world outside: which starts were
accepted, so that no attempt is ever started twice and no held job is run by two.
"""

import os
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from balsam.core import claims, dependencies, leases, transitions
from balsam.core.invariants import violations
from balsam.core.models import ApplicationDefinition, BalsamJob
from balsam.exceptions import CycleError, InvalidStateError, NotFoundError
from balsam.schemas.jobs import JobReport, JobSpec, Step, StepResult, StepSpec
from balsam.schemas.sessions import StepClaimRequest
from balsam.states import JobState as S
from tests.databases import empty_tables
from tests.jobs import add_job, claim, open_session

EXAMPLES = int(os.environ.get("BALSAM_TEST_EXAMPLES", "15"))
APPS = ("plain", "pre", "post", "unknown")
FLAGS = ("post_error_handler", "post_timeout_handler", "auto_timeout_retry", "wait_for_parents")
COLUMNS = ("data", "args", "state", "application", "wait_for_parents", "on_parent_failure")
HOOKS = ("preprocess", "postprocess")
USER_STATES = [state.value for state in S if state is not S.RUNNING]
OUTCOMES = [
    (S.RUNNING,),
    (S.RUNNING, S.RUN_DONE),
    (S.RUNNING, S.RUN_ERROR),
    (S.RUNNING, S.RUN_TIMEOUT),
    (S.RUN_DONE,),
    (S.RUN_ERROR,),
    (S.RUN_TIMEOUT,),
    (S.FAILED,),
    (),
]
#: What a step may lead to, by the state it starts from.
STEPS = {
    S.READY: (S.STAGED_IN, S.FAILED),
    S.STAGED_IN: (S.PREPROCESSED, S.FAILED),
    S.RUN_DONE: (S.POSTPROCESSED, S.FAILED),
    S.RUN_ERROR: (S.FAILED, S.RESTART_READY),
    S.RUN_TIMEOUT: (S.FAILED, S.RESTART_READY),
    S.POSTPROCESSED: (S.JOB_FINISHED, S.FAILED),
}
number = st.integers(min_value=0, max_value=10_000)


class Life(RuleBasedStateMachine):
    """A database with a dozen jobs and three sessions."""

    sessions = Bundle("sessions")

    def __init__(self) -> None:
        super().__init__()
        self.claimed: list[tuple[int, JobSpec]] = []
        self.steps: list[tuple[int, StepSpec]] = []
        self.sent: list[tuple[int, JobReport]] = []
        self.stale: list[BalsamJob] = []
        self.starts: set[tuple[str, int]] = set()

    @initialize()
    def begin(self) -> None:
        empty_tables()
        for name in APPS[:-1]:
            hooks = {f"{name}process": "/bin/true"} if name != "plain" else {}
            ApplicationDefinition.objects.create(name=name, executable="/bin/true", **hooks)

    # -- users -----------------------------------------------------------------------------------------

    def some_job(self, index: int) -> BalsamJob | None:
        jobs = list(BalsamJob.objects.order_by("number"))
        return jobs[index % len(jobs)] if jobs else None

    @rule(
        app=st.sampled_from(APPS),
        policy=st.sampled_from(("fail", "ignore", "hold")),
        parents=st.lists(number, max_size=3),
        flags=st.sets(st.sampled_from(FLAGS)),
        retries=st.integers(0, 2),
    )
    def create(self, app: str, policy: str, parents: list[int], flags: set[str], retries: int) -> None:
        if BalsamJob.objects.count() >= 12:
            return
        known = {job.pk: job for job in map(self.some_job, parents) if job is not None}
        fields = {flag: flag in flags for flag in FLAGS}
        add_job(
            *known.values(),
            application=app,
            on_parent_failure=policy,
            max_error_retries=retries,
            max_timeout_retries=retries,
            **fields,
        )

    @rule(parent=number, child=number)
    def link(self, parent: int, child: int) -> None:
        one, other = self.some_job(parent), self.some_job(child)
        if one is not None and other is not None:
            try:
                dependencies.add_edges([(one.pk, other.pk)])
            except CycleError:
                return

    @rule(child=number, parents=st.lists(number, max_size=3))
    def set_parents(self, child: int, parents: list[int]) -> None:
        job = self.some_job(child)
        if job is not None:
            try:
                job.set_parents([p for p in map(self.some_job, parents) if p is not None])
            except CycleError:
                return

    @rule(index=number, state=st.sampled_from(USER_STATES))
    def set_state(self, index: int, state: str) -> None:
        job = self.some_job(index)
        if job is not None:
            try:
                job.update_state(state, "asked for")
            except InvalidStateError:
                return

    @rule(indices=st.lists(number, min_size=1, max_size=4))
    def kill_many(self, indices: list[int]) -> None:
        jobs = [job for job in map(self.some_job, indices) if job is not None]
        BalsamJob.batch_update_state(jobs, "USER_KILLED")

    @rule(index=number)
    def delete(self, index: int) -> None:
        job = self.some_job(index)
        if job is not None:
            job.delete()

    @rule(index=number)
    def read(self, index: int) -> None:
        job = self.some_job(index)
        if job is not None:
            self.stale.append(job)

    @rule(
        index=number,
        column=st.sampled_from(
            ("data", "args", "state", "application", "wait_for_parents", "on_parent_failure")
        ),
        value=number,
    )
    def save_what_was_read_before(self, index: int, column: str, value: int) -> None:
        if not self.stale:
            return
        job = self.stale[index % len(self.stale)]
        values: dict[str, Any] = {
            "data": {"x": value},
            "args": str(value),
            "state": USER_STATES[value % len(USER_STATES)],
            "application": APPS[value % len(APPS)],
            "wait_for_parents": bool(value % 2),
            "on_parent_failure": ("fail", "ignore", "hold")[value % 3],
        }
        setattr(job, column, values[column])
        try:
            job.save()
        except (InvalidStateError, NotFoundError):
            self.stale.remove(job)

    @rule(app=st.sampled_from(APPS[:-1]), hook=st.sampled_from(HOOKS), has=st.booleans())
    def change_app(self, app: str, hook: str, has: bool) -> None:
        found = ApplicationDefinition.objects.get(name=app)
        setattr(found, hook, "/bin/true" if has else "")
        found.save()

    # -- launchers -------------------------------------------------------------------------------------

    @rule(target=sessions)
    def open(self) -> int:
        return open_session()

    @rule(session=sessions, limit=st.integers(1, 4))
    def claim(self, session: int, limit: int) -> None:
        self.claimed += [(session, spec) for spec in claim(session, limit)]

    @rule(index=number, outcome=st.sampled_from(OUTCOMES))
    def report(self, index: int, outcome: tuple[S, ...]) -> None:
        if not self.claimed:
            return
        session, spec = self.claimed[index % len(self.claimed)]
        steps = tuple(Step(state, message="so it went") for state in outcome)
        item = JobReport(job_id=spec.job_id, attempt=spec.attempt, steps=steps, return_code=0)
        self.sent.append((session, item))
        reply = transitions.report(session, [item])
        if S.RUNNING in outcome and not reply.late:
            start = (spec.job_id, spec.attempt)
            assert start not in self.starts or self.was_repeated(session, item), f"{start} was started twice"
            self.starts.add(start)

    def was_repeated(self, session: int, item: JobReport) -> bool:
        """The same session told of the same start before."""
        same = [
            s
            for s, old in self.sent
            if old.job_id == item.job_id and old.attempt == item.attempt and old.steps
        ]
        return set(same) == {session}

    @rule(index=number)
    def repeat_a_report(self, index: int) -> None:
        if not self.sent:
            return
        session, item = self.sent[index % len(self.sent)]
        if not item.steps:
            return
        before = list(BalsamJob.objects.order_by("pk").values_list("pk", "state", "attempt", "session_id"))
        transitions.report(session, [item])
        after = list(BalsamJob.objects.order_by("pk").values_list("pk", "state", "attempt", "session_id"))
        if S.RUNNING in [step.state for step in item.steps]:
            assert before == after or (item.job_id, item.attempt) not in self.starts

    @rule(session=sessions)
    def close(self, session: int) -> None:
        leases.close(session, "done")

    @rule(session=sessions)
    def let_expire(self, session: int) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE core_session SET expires = now() - interval '1 s' WHERE id = %s", [session]
            )
        leases.reap_expired()

    @rule(session=sessions, keep=st.booleans())
    def reconcile(self, session: int, keep: bool) -> None:
        known = [spec.job_id for owner, spec in self.claimed if owner == session] if keep else []
        leases.reconcile(session, known)

    # -- processing ------------------------------------------------------------------------------------

    @rule(session=sessions, limit=st.integers(1, 4))
    def claim_steps(self, session: int, limit: int) -> None:
        found = claims.claim_steps(StepClaimRequest(session_id=session, limit=limit))
        self.steps += [(session, spec) for spec in found]

    @rule(index=number, choice=number)
    def report_step(self, index: int, choice: int) -> None:
        if not self.steps:
            return
        session, spec = self.steps[index % len(self.steps)]
        ways = STEPS[spec.state]
        result = StepResult(job_id=spec.job_id, from_state=spec.state, to_state=ways[choice % len(ways)])
        transitions.report_steps(session, [result])

    # -- what always holds -----------------------------------------------------------------------------

    @invariant()
    def nothing_is_violated(self) -> None:
        assert [str(violation) for violation in violations()] == []


@pytest.mark.usefixtures("db")
def test_random_lives_violate_nothing():
    run_state_machine_as_test(
        Life,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=40,
            suppress_health_check=list(HealthCheck),
        ),
    )
