"""Every state and every reason an explanation can give, from facts alone."""

from dataclasses import replace
from typing import Any

import pytest

from balsam.core.explain.deciding import explain
from balsam.core.explain.facts import (
    BatchJobFacts,
    EventFacts,
    Facts,
    JobFacts,
    ParentFacts,
    ProcessFacts,
    SiteFacts,
    TransferFacts,
)
from balsam.core.explain.fitting import Room, misfit
from balsam.schemas.explanations import Explanation
from balsam.schemas.explanations import Reason as R
from balsam.states import STATES
from balsam.states import BatchJobState as B
from balsam.states import JobState as S
from balsam.states import TransferState as T

THETA = SiteFacts(name="theta", path="/sites/theta")
HERE = SiteFacts(name="mydb", path="/data/mydb", is_first=True, number=1)
AGENT = ProcessFacts(session_id=1, host="login4", pid=7, is_agent=True, lease_sec=150)
LAUNCHER = ProcessFacts(
    session_id=2,
    host="nid01",
    pid=9,
    lease_sec=150,
    age_sec=600,
    about={"mode": "mpi", "num_nodes": 2, "time_limit_min": 60, "gpus": 1, "tags": {}, "workflow": ""},
)
SILENT = replace(AGENT, silent_sec=700, lease_sec=-520)
BATCH = BatchJobFacts(
    number=12, scheduler_id="6777", state=B.QUEUED, queue="debug", num_nodes=2, wall_time_min=60
)


def job(state: S, **fields: Any) -> JobFacts:
    return JobFacts(
        number=7, name="demo/hello", state=state, output="/sites/theta/data/demo/hello/job.out", **fields
    )


def said(
    state: S, *, site: SiteFacts = THETA, of_job: dict[str, Any] | None = None, **facts: Any
) -> Explanation:
    return explain(Facts(job=job(state, **(of_job or {})), site=site, **facts))


def parent(number: int, state: S, site: str = "") -> ParentFacts:
    return ParentFacts(number=number, name=f"p{number}", state=state, site=site)


def event(state: S, message: str = "", cause: str = "") -> EventFacts:
    return EventFacts(state=state, message=message, cause=cause)


HOOK_STATES = (S.READY, S.STAGED_IN, S.RUN_DONE, S.RUN_ERROR, S.RUN_TIMEOUT, S.POSTPROCESSED)
FAILING = {"loops": [{"name": "processing", "failures_in_a_row": 3, "last_error": "disk full"}]}

#: State, other facts, reason, words that are told, whether somebody has to do something.
TABLE: list[tuple[S, dict[str, Any], R, tuple[str, ...], bool]] = [
    # parents
    (S.CREATED, {}, R.NEW, ("this moment",), False),
    (S.CREATED, {"of_job": {"in_state_sec": 100}}, R.NO_PARENT, ("--set-state CREATED",), True),
    (
        S.AWAITING_PARENTS,
        {"parents": (parent(3, S.RUNNING, "polaris"),), "num_parents": 2},
        R.PARENTS,
        ("job 3 (p3) at the site polaris, which is RUNNING", "balsam job explain 3"),
        False,
    ),
    (
        S.AWAITING_PARENTS,
        {"parents": tuple(parent(n, S.PREPROCESSED) for n in range(1, 8)), "num_parents": 9},
        R.PARENTS,
        ("7 of its 9 have not finished", "… and 2 more"),
        False,
    ),
    (
        S.AWAITING_PARENTS,
        {
            "parents": (parent(3, S.FAILED), parent(4, S.RUNNING)),
            "num_parents": 2,
            "of_job": {"holds_for_failed_parent": True},
        },
        R.PARENT_FAILED,
        ("held", "job 3 (p3), which is FAILED", "balsam job explain 3", "--set-state PREPROCESSED"),
        True,
    ),
    (S.AWAITING_PARENTS, {"of_job": {"in_state_sec": 100}}, R.NO_PARENT, ("should not be",), True),
    # hooks and staging
    *(
        (state, {}, R.NO_AGENT, ("nobody is there", "cd /sites/theta && balsam site start"), True)
        for state in HOOK_STATES
    ),
    (S.STAGED_IN, {"site": HERE}, R.NO_AGENT, ("no service and no launcher", "`balsam service`"), True),
    (S.STAGED_IN, {"agent": AGENT}, R.STEP_WAITS, ("the agent on login4", "preprocess hook"), False),
    (S.READY, {"agent": AGENT}, R.STEP_WAITS, ("staged in",), False),
    (
        S.READY,
        {
            "agent": AGENT,
            "transfers": (
                TransferFacts(
                    number=4, place="far:/a", state=T.PENDING, failures=2, message="Needs a login."
                ),
            ),
        },
        R.STEP_WAITS,
        (
            "Transfer 4, far:/a, is pending, after 2 tries that failed: Needs a login.",
            "`balsam transfer ls --job 7`",
        ),
        False,
    ),
    (
        S.READY,
        {
            "agent": AGENT,
            "transfers": tuple(
                TransferFacts(
                    number=n, place="far:/a", state=T.INACTIVE, message="Log in to far.", needs_you=True
                )
                for n in (4, 5)
            ),
        },
        R.TRANSFER_NEEDS_YOU,
        ("that waits for you. Log in to far.", "Transfer 4, far:/a, is inactive.", "Do what that says"),
        True,
    ),
    (
        S.READY,
        {
            "agent": replace(AGENT, about={"moves_files": False}),
            "launchers": (LAUNCHER,),
            "transfers": (TransferFacts(number=4, place="far:/a", state=T.PENDING, failures=0, message=""),),
        },
        R.NO_MOVER,
        ("`transfers` is null", "balsam site sync", "Transfer 4, far:/a, is pending."),
        True,
    ),
    (
        S.RUN_DONE,
        {"agent": AGENT, "events": (event(S.RUN_DONE, "given back: the disk is full", "given_back"),)},
        R.STEP_WAITS,
        ("Last word: given back: the disk is full",),
        False,
    ),
    (S.RUN_DONE, {"launchers": (LAUNCHER,)}, R.STEP_WAITS, ("the launcher on nid01",), False),
    (
        S.RUN_DONE,
        {"launchers": (replace(LAUNCHER, about={"steps": 0}),)},
        R.NO_AGENT,
        ("none of those there", "does no hooks and no staging"),
        True,
    ),
    (
        S.STAGED_IN,
        {"agent": replace(AGENT, about={"tags": {"a": "b"}})},
        R.NO_AGENT,
        ("The agent on login4 (pid 7) takes only jobs with the tag a=b; this one has no tags.",),
        True,
    ),
    (
        S.POSTPROCESSED,
        {"agent": SILENT},
        R.AGENT_SILENT,
        ("the agent on login4 (pid 7) has not been heard of for 11 m 40 s", "site start"),
        True,
    ),
    (S.RUN_ERROR, {"agent": replace(AGENT, is_dead=True)}, R.AGENT_SILENT, ("has died",), True),
    (
        S.RUN_TIMEOUT,
        {"agent": replace(AGENT, about=FAILING)},
        R.AGENT_FAILS,
        ("fails at that: disk full.", "/sites/theta"),
        True,
    ),
    (
        S.STAGED_IN,
        {"agent": AGENT, "holder": AGENT, "of_job": {"in_state_sec": 120}},
        R.STEP_RUNS,
        ("has begun", "2 m 0 s ago", "preprocess.log", "/sites/theta/data/demo/hello"),
        False,
    ),
    (S.STAGED_IN, {"holder": SILENT}, R.HOLDER_LOST, ("has it, and has not been heard of",), True),
    (S.STAGED_IN, {"has_app": False, "app_name": "gone"}, R.NO_APP, ("no application named 'gone'",), True),
    # ready to run
    (S.PREPROCESSED, {"has_app": False}, R.NO_APP, ("names no application",), True),
    (
        S.PREPROCESSED,
        {},
        R.NO_LAUNCHER,
        ("neither a launcher nor a batch job", "balsam queue submit --site theta -n 1 -t 10 -q QUEUE"),
        True,
    ),
    (
        S.PREPROCESSED,
        {"site": HERE},
        R.NO_LAUNCHER,
        ("`balsam launcher --consume-all --job-mode serial`", "balsam submit-launch"),
        True,
    ),
    (
        S.PREPROCESSED,
        {"site": HERE, "agent": replace(AGENT, about={"waits_for": "room for 1 job: debug is closed"})},
        R.NO_LAUNCHER,
        ("waits for room for 1 job: debug is closed",),
        True,
    ),
    (
        S.PREPROCESSED,
        {"last_batch_job": replace(BATCH, state=B.SUBMIT_FAILED, reason="Invalid account")},
        R.NO_LAUNCHER,
        ("batch job 12 (6777 at the scheduler)", "submit_failed (Invalid account)"),
        True,
    ),
    (
        S.RESTART_READY,
        {"events": (event(S.RESTART_READY, "Restart 1 of 25 after a timeout"),)},
        R.NO_LAUNCHER,
        ("It is to run again: Restart 1 of 25 after a timeout.",),
        True,
    ),
    (
        S.PREPROCESSED,
        {"launchers": (replace(LAUNCHER, running=4),), "num_ready": 12},
        R.LAUNCHER_BUSY,
        ("can run it, and runs 4 jobs now; 12 others are ready", "--priority 10"),
        False,
    ),
    (
        S.PREPROCESSED,
        {"launchers": (LAUNCHER,), "num_ready": 10_000},
        R.LAUNCHER_BUSY,
        ("more than 10000 others",),
        False,
    ),
    (S.PREPROCESSED, {"holder": LAUNCHER}, R.CLAIMED, ("has taken it", "when there is room"), False),
    (S.RESTART_READY, {"holder": replace(LAUNCHER, is_dead=True)}, R.HOLDER_LOST, ("has died",), True),
    (
        S.PREPROCESSED,
        {"launchers": (LAUNCHER,), "of_job": {"num_nodes": 4}},
        R.NOTHING_FITS,
        ("has 2 nodes, and the job needs 4", "-n 4", "-j mpi"),
        True,
    ),
    (
        S.PREPROCESSED,
        {"launchers": (replace(LAUNCHER, about={"mode": "serial"}),), "of_job": {"ranks_per_node": 4}},
        R.NOTHING_FITS,
        ("is in serial mode, and the job has 4 ranks",),
        True,
    ),
    (
        S.PREPROCESSED,
        {"launchers": (LAUNCHER,), "of_job": {"wall_time_min": 55}},
        R.NOTHING_FITS,
        ("has 50 min left, and the job is expected to run for 55 min", "-t 55"),
        True,
    ),
    (
        S.PREPROCESSED,
        {"launchers": (LAUNCHER,), "of_job": {"gpus_per_rank": 2}},
        R.NOTHING_FITS,
        ("has 1 GPU on a node, and the job needs 2",),
        True,
    ),
    (
        S.PREPROCESSED,
        {"launchers": (replace(LAUNCHER, about={"memory_mb": 100}),), "of_job": {"memory_mb": 200}},
        R.NOTHING_FITS,
        ("has 100 MB of memory on a node, and the job needs 200",),
        True,
    ),
    (
        S.PREPROCESSED,
        {"launchers": (replace(LAUNCHER, about={"tags": {"a": "b"}}),), "of_job": {"tags": {"a": "c"}}},
        R.NOTHING_FITS,
        ("takes only jobs with the tag a=b; this one has a=c",),
        True,
    ),
    (
        S.PREPROCESSED,
        {"launchers": (replace(LAUNCHER, about={"workflow": "sweep"}),), "of_job": {"workflow": "test"}},
        R.NOTHING_FITS,
        ("whose workflow contains 'sweep'; that of this one is 'test'",),
        True,
    ),
    (
        S.PREPROCESSED,
        {"launchers": (LAUNCHER,), "given_back": {2: "It needs 2 GPUs on its node."}},
        R.NOTHING_FITS,
        ("The launcher on nid01 (pid 9) says: It needs 2 GPUs on its node.",),
        True,
    ),
    (
        S.PREPROCESSED,
        {"launchers": (replace(LAUNCHER, silent_sec=100),)},
        R.NO_LAUNCHER,
        ("nothing runs it",),
        True,
    ),
    (
        S.PREPROCESSED,
        {"batch_jobs": (replace(BATCH, reason="Priority", age_sec=90),)},
        R.BATCH_JOB_QUEUED,
        ("waits in the queue debug for 1 m 30 s", "The scheduler says: Priority."),
        False,
    ),
    (
        S.PREPROCESSED,
        {"batch_jobs": (replace(BATCH, state=B.PENDING_SUBMISSION, scheduler_id=""),)},
        R.BATCH_JOB_PENDING,
        ("nobody submits that: the site theta has no agent", "site start"),
        True,
    ),
    (
        S.PREPROCESSED,
        {"batch_jobs": (replace(BATCH, state=B.PENDING_SUBMISSION),), "agent": SILENT},
        R.BATCH_JOB_PENDING,
        ("an agent that is not heard of",),
        True,
    ),
    (
        S.PREPROCESSED,
        {"batch_jobs": (replace(BATCH, state=B.PENDING_SUBMISSION, reason="Waits: full"),), "agent": AGENT},
        R.BATCH_JOB_PENDING,
        ("is being submitted: Waits: full",),
        False,
    ),
    (
        S.PREPROCESSED,
        {
            "batch_jobs": (replace(BATCH, state=B.PENDING_SUBMISSION),),
            "agent": replace(AGENT, about={"tags": {"a": "b"}}),
        },
        R.BATCH_JOB_PENDING,
        ("does not submit that: it looks only after batch jobs with the tag a=b", "filter_tags"),
        True,
    ),
    (
        S.PREPROCESSED,
        {"batch_jobs": (replace(BATCH, state=B.RUNNING, age_sec=10),)},
        R.BATCH_JOB_STARTS,
        ("has begun", "its launcher has not shown itself"),
        False,
    ),
    (
        S.PREPROCESSED,
        {"batch_jobs": (replace(BATCH, state=B.RUNNING, age_sec=600),)},
        R.BATCH_JOB_STARTS,
        ("/sites/theta/qsubmit",),
        True,
    ),
    (
        S.PREPROCESSED,
        {
            "batch_jobs": (replace(BATCH, tags={"a": "b"}), replace(BATCH, number=13, num_nodes=1)),
            "of_job": {"num_nodes": 2},
        },
        R.NOTHING_FITS,
        (
            "Batch job 12 (6777 at the scheduler) (queued) takes only jobs with the tag a=b",
            "has 1 node, and the job needs 2",
        ),
        True,
    ),
    (
        S.PREPROCESSED,
        {
            "batch_jobs": (
                replace(
                    BATCH,
                    partitions=({"job_mode": "mpi", "num_nodes": 1}, {"job_mode": "serial", "num_nodes": 1}),
                ),
            ),
            "of_job": {"num_nodes": 2},
        },
        R.NOTHING_FITS,
        ("has 1 node, and the job needs 2", "is in serial mode"),
        True,
    ),
    (
        S.PREPROCESSED,
        {"batch_jobs": (replace(BATCH, state=B.PENDING_DELETION),)},
        R.NO_LAUNCHER,
        ("nothing",),
        True,
    ),
    (
        S.PREPROCESSED,
        {"site": replace(THETA, node={"gpus": 8}), "of_job": {"gpus_per_rank": 2, "ranks_per_node": 5}},
        R.IMPOSSIBLE,
        ("10 GPUs on a node (5 ranks with 2 each), and a node of theta has 8", "--gpus-per-rank"),
        True,
    ),
    (
        S.PREPROCESSED,
        {"site": replace(THETA, node={"memory_mb": 100}), "of_job": {"memory_mb": 101}},
        R.IMPOSSIBLE,
        ("101 MB of memory on a node",),
        True,
    ),
    (
        S.PREPROCESSED,
        {
            "site": replace(THETA, queues={"debug": {"max_nodes": 2, "max_walltime": 60}}),
            "of_job": {"num_nodes": 4},
        },
        R.IMPOSSIBLE,
        ("no queue of theta takes that: debug takes 2 nodes for 60 min", "--num-nodes N"),
        True,
    ),
    # running
    (
        S.RUNNING,
        {
            "holder": replace(LAUNCHER, scheduler_id="6777"),
            "of_job": {"in_state_sec": 180, "wall_time_min": 10, "attempt": 2},
            "events": (event(S.RUNNING, "nid01,nid02"),),
        },
        R.RUNNING,
        (
            "runs on nid01,nid02 for 3 m 0 s",
            "nid01 (pid 9), in batch job 6777",
            "10 min",
            "start number 2",
            "logs 7 -f",
        ),
        False,
    ),
    (S.RUNNING, {}, R.RUNNING, ("It runs.",), False),
    (
        S.RUNNING,
        {"holder": replace(LAUNCHER, silent_sec=100, lease_sec=80)},
        R.HOLDER_LOST,
        ("has not been heard of for 1 m 40 s", "in 1 m 20 s", "balsam launcher"),
        True,
    ),
    (
        S.RUNNING,
        {"holder": replace(LAUNCHER, silent_sec=200, lease_sec=-20), "agent": AGENT},
        R.HOLDER_LOST,
        ("The agent on login4 (pid 7) takes it over",),
        False,
    ),
    # ended
    (
        S.JOB_FINISHED,
        {"of_job": {"in_state_sec": 61}},
        R.FINISHED,
        ("1 m 1 s ago", "balsam job logs 7"),
        False,
    ),
    (S.JOB_FINISHED, {"cleans": True, "is_to_be_cleaned": True}, R.TO_BE_CLEANED, ("file_cleaner",), False),
    (S.JOB_FINISHED, {"cleans": True}, R.CLEANED, ("have been deleted",), False),
    (
        S.USER_KILLED,
        {"events": (event(S.USER_KILLED, "Killed by ada"),)},
        R.KILLED,
        ("(Killed by ada)",),
        False,
    ),
    (
        S.FAILED,
        {
            "events": (event(S.RUN_ERROR, "exit code 3\nline 1\nno such file"), event(S.FAILED)),
            "of_job": {"attempt": 2},
        },
        R.PROGRAM_FAILED,
        (
            "exit code 3. It has been started 2 times.",
            "| no such file",
            "logs 7",
            "--set-state RESTART_READY",
        ),
        True,
    ),
    (
        S.FAILED,
        {"events": (event(S.RUN_ERROR, "killed by signal 9"), event(S.FAILED, "postprocess failed"))},
        R.PROGRAM_FAILED,
        ("killed by signal 9", "postprocess failed."),
        True,
    ),
    (
        S.FAILED,
        {"events": (event(S.RUN_TIMEOUT), event(S.FAILED, "Timed out 26 times; max_timeout_retries is 25"))},
        R.TIMED_OUT,
        ("Timed out 26 times", "more time"),
        True,
    ),
    (
        S.FAILED,
        {
            "events": (
                event(S.PREPROCESSED),
                event(S.FAILED, "There is no such file: /bin/nope\nGive a full path."),
            )
        },
        R.STEP_FAILED,
        ("no such file: /bin/nope", "Give a full path."),
        True,
    ),
    (S.FAILED, {}, R.STEP_FAILED, ("does not say why",), True),
    (
        S.FAILED,
        {
            "events": (event(S.FAILED, "No such file"),),
            "transfers": (TransferFacts(number=3, place="far:/a", state=T.ERROR),),
        },
        R.STEP_FAILED,
        ("No such file", "`balsam transfer retry --job 7`"),
        True,
    ),
    (
        S.FAILED,
        {"events": (event(S.FAILED, "Parent 3 is FAILED", "parent_failed"),)},
        R.PARENT_FAILED,
        ("It never ran, Parent 3 is FAILED.", "--set-state CREATED"),
        True,
    ),
    (
        S.FAILED,
        {"events": (event(S.FAILED, "", "parent_failed"),), "parents": (parent(3, S.FAILED),)},
        R.PARENT_FAILED,
        ("It never ran, since its parent, job 3 (p3), which is FAILED.", "balsam job explain 3"),
        True,
    ),
    (
        S.FAILED,
        {"events": (event(S.RUN_ERROR, "exit code 1"), event(S.FAILED, "given up", "user"))},
        R.FAILED_BY_USER,
        ("A user has set it to FAILED: given up",),
        True,
    ),
]


@pytest.mark.parametrize(("state", "facts", "reason", "words", "needs_you"), TABLE)
def test_state_and_facts_give_the_reason_in_plain_words(
    state: S, facts: dict[str, Any], reason: R, words: tuple[str, ...], needs_you: bool
):
    found = said(state, **facts)
    assert (found.reason, found.needs_you) == (reason, needs_you), found
    told = "\n".join((found.text, *found.details, found.next_step))
    assert all(word in told for word in words), told
    assert found.text.endswith((".", ":")) or state is S.FAILED
    assert found.next_step and "None" not in told and ".." not in told


def test_every_state_and_every_reason_is_in_the_table():
    assert {row[0] for row in TABLE} == set(STATES)
    assert {row[2] for row in TABLE} == set(R)


@pytest.mark.parametrize(
    "reason", [R.NO_AGENT, R.NO_LAUNCHER, R.NOTHING_FITS, R.PROGRAM_FAILED, R.IMPOSSIBLE]
)
def test_what_needs_somebody_names_a_command(reason: R):
    assert all(
        "`balsam" in said(s, **f).next_step or "&& balsam" in said(s, **f).next_step
        for s, f, r, *_ in TABLE
        if r is reason
    )


def test_batch_job_whose_launcher_is_up_is_judged_by_the_launcher():
    small = replace(LAUNCHER, scheduler_id="6777", about={"num_nodes": 1})
    found = said(
        S.PREPROCESSED,
        launchers=(small,),
        batch_jobs=(replace(BATCH, state=B.RUNNING),),
        of_job={"num_nodes": 2},
    )
    assert found.reason == R.NOTHING_FITS
    assert any("has 1 node" in detail for detail in found.details)


def test_nearest_batch_job_is_told_of():
    far = replace(BATCH, state=B.PENDING_SUBMISSION, number=1)
    found = said(S.PREPROCESSED, batch_jobs=(far, BATCH), agent=AGENT)
    assert found.reason == R.BATCH_JOB_QUEUED


def test_room_of_which_nothing_is_known_holds_everything():
    assert misfit(job(S.PREPROCESSED, num_nodes=99, gpus_per_rank=9, wall_time_min=999), Room()) == ""
