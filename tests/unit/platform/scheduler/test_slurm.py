"""Slurm: answers of 22.05.8, and words that only Slurm has."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from balsam.lib.commands import Answer
from balsam.platform.scheduler import BackfillWindow, Cancellation, SubmitRequest
from balsam.platform.scheduler.slurm import Slurm, SlurmQos
from balsam.states import BatchJobEnd, BatchJobState
from tests.unit.platform.scheduler.captured import captured

B, E = BatchJobState, BatchJobEnd
SLURM = Slurm()


def at(clock: str) -> datetime:
    return datetime.fromisoformat(f"2026-11-21T{clock}+00:00").astimezone(UTC)


def test_ends_are_told_by_the_listing():
    jobs = SLURM.parse_status(captured("slurm/status")).jobs
    assert [jobs[job_id].end for job_id in ("17", "18", "19", "20")] == [
        E.COMPLETED, E.FAILED, E.CANCELLED, E.UNKNOWN,
    ]  # fmt: skip
    assert jobs["18"].reason == "NonZeroExitCode"


def test_times_and_numbers_of_the_listing_are_read():
    jobs = SLURM.parse_status(captured("slurm/status")).jobs
    job = jobs["20"]
    assert (job.num_nodes, job.wall_time_min, job.project, job.queue) == (2, 1, "acc", "long")
    assert job.time_remaining_min == pytest.approx(17 / 60)
    assert jobs["25"].wall_time_min == 26 * 60 + 4
    assert jobs["25"].name == "two\nlines|of a name"


def test_user_who_cannot_be_looked_up_has_no_complete_listing():
    listing = SLURM.parse_status(captured("slurm/status-no-such-user"))
    assert (listing.is_complete, listing.problem) == (False, "squeue: error: Invalid user: nosuch")


def test_rows_of_other_users_are_left_out():
    assert SLURM.parse_status(captured("slurm/status"), "bob").jobs == {}


def test_accounting_tells_ends_and_times():
    history = SLURM.parse_history(captured("slurm/history"))
    assert history.is_complete, history.problem
    ends = {job_id: job.end for job_id, job in history.jobs.items()}
    assert ends == {
        "17": E.COMPLETED, "18": E.FAILED, "19": E.CANCELLED, "20": E.TIMEOUT, "21": None,
        "22": None, "23": E.COMPLETED, "26": None,
    }  # fmt: skip
    job = history.jobs["20"]
    assert (job.name, job.submitted_at) == ("qlaunch-run", at("10:50:05"))
    assert (job.started_at, job.ended_at) == (at("10:50:05"), at("10:51:06"))
    assert history.jobs["18"].reason == "exit code 3:0"
    assert history.jobs["21"].started_at is None


def test_name_is_found_in_accounting_or_certainly_not():
    assert list(SLURM.parse_history(captured("slurm/history-name")).jobs) == ["18"]
    nothing = SLURM.parse_history(captured("slurm/history-none"))
    assert (nothing.is_complete, nothing.jobs) == (True, {})


def test_name_that_accounting_made_up_is_none():
    text = captured("slurm/history").stdout.replace("qlaunch-ok", "allocation")
    assert SLURM.parse_history(Answer(0, text)).jobs["17"].name == ""


def test_account_that_is_not_kept_says_all_it_can():
    history = SLURM.parse_history(captured("slurm/history-off"))
    assert (history.is_complete, history.jobs) == (True, {})
    assert "no accounting" in history.problem


def test_account_cut_at_any_byte_invents_no_end():
    text = captured("slurm/history").stdout
    whole = SLURM.parse_history(Answer(0, text)).jobs
    for cut in range(len(text)):
        history = SLURM.parse_history(Answer(0, text[:cut]))
        assert not history.is_complete or text[:cut].endswith("\n")
        for job_id, job in history.jobs.items():
            assert job.end is None or job_id == "22" or job.end is whole[job_id].end


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("CONFIGURING", B.RUNNING), ("COMPLETING", B.RUNNING), ("SUSPENDED", B.RUNNING),
        ("REQUEUED", B.QUEUED), ("REQUEUE_HOLD", B.QUEUED), ("SPECIAL_EXIT", B.QUEUED),
        ("OUT_OF_MEMORY", B.FINISHED), ("NODE_FAIL", B.FINISHED), ("BRAND_NEW", B.UNKNOWN),
    ],
)  # fmt: skip
def test_native_states_are_known(word: str, state: BatchJobState):
    text = captured("slurm/status").stdout.replace("PENDING", word)
    assert SLURM.parse_status(Answer(0, text)).jobs["21"].state is state


@pytest.mark.parametrize(
    ("word", "end"),
    [
        ("DEADLINE", E.TIMEOUT), ("PREEMPTED", E.PREEMPTED), ("NODE_FAIL", E.NODE_FAIL),
        ("BOOT_FAIL", E.NODE_FAIL), ("OUT_OF_MEMORY", E.OUT_OF_MEMORY), ("CANCELLED by 1000", E.CANCELLED),
        ("REVOKED", E.UNKNOWN), ("REQUEUED", None), ("BRAND_NEW", None),
    ],
)  # fmt: skip
def test_ends_in_accounting_are_known(word: str, end: BatchJobEnd | None):
    text = captured("slurm/history").stdout.replace("FAILED", word)
    assert SLURM.parse_history(Answer(0, text)).jobs["18"].end is end


@pytest.mark.parametrize("name", ["partition", "nodes", "memory", "time", "option", "script"])
def test_refusal_is_certain(name: str):
    answer = captured(f"slurm/submit-{name}")
    assert SLURM.parse_submit(answer).refused == answer.words


@pytest.mark.parametrize(
    "text",
    [
        "Invalid account or account/partition combination specified. Please contact help@site.",
        "Requested time limit is invalid (missing or exceeds some limit)",
        "Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)",
    ],
)
def test_refusals_of_a_site_with_accounting_are_certain(text: str):
    assert SLURM.parse_submit(Answer(1, "", f"sbatch: error: Batch job submission failed: {text}\n")).refused


def test_submission_to_a_controller_that_is_down_is_unknown():
    assert SLURM.parse_submit(captured("slurm/submit-down")).is_unknown


@pytest.mark.parametrize("text", ["12\n", "12;cluster\n", "Submitted batch job 12\n", "Welcome!\n12\n"])
def test_id_is_found(text: str):
    assert SLURM.parse_submit(Answer(0, text)).scheduler_id == "12"


@pytest.mark.parametrize(
    ("name", "done"),
    [
        ("cancel", Cancellation.ACCEPTED), ("cancel-unknown", Cancellation.GONE),
        ("cancel-ended", Cancellation.GONE), ("cancel-down", Cancellation.UNKNOWN),
    ],
)  # fmt: skip
def test_cancellation_is_read(name: str, done: Cancellation):
    assert SLURM.parse_cancel(captured(f"slurm/{name}")) is done


def test_idle_nodes_are_windows_of_their_partitions():
    windows = SLURM.parse_backfill(captured("slurm/backfill"))
    assert windows["debug"] == [BackfillWindow(2, 60)]
    assert windows["long"][0].num_nodes == 2


def test_projects_are_accounts():
    assert SLURM.parse_projects(captured("slurm/projects")) == ["acc", "alice"]


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("5:30\n", 5.5), ("1:00:00\n", 60.0), ("1-00:00:00\n", 1440.0), ("UNLIMITED\n", None),
        ("INVALID\n", None), ("NOT_SET\n", None), ("Partition_Limit\n", None), ("N/A\n", None), ("", None),
        ("10:00\n9:00\n", 9.0),
    ],
)  # fmt: skip
def test_time_left_is_read(text: str, minutes: float | None):
    assert SLURM.parse_time_left(Answer(0, text)) == minutes


def test_accounting_is_asked_from_an_absolute_time_in_utc():
    since = datetime.fromisoformat("2026-11-21T00:30:00+02:00")
    command = SLURM.history_command(["12", "13"], since)
    argv = list(command.argv)
    assert argv[argv.index("-S") + 1] == "2026-11-20T22:30:00"
    assert argv[argv.index("-j") + 1] == "12,13"
    assert command.environ["TZ"] == "UTC"


def test_allocation_of_an_array_has_the_id_of_the_array():
    found = SLURM.allocation({"SLURM_JOB_ID": "14", "SLURM_ARRAY_JOB_ID": "12"})
    assert found is not None
    assert found.scheduler_id == "12"


def test_queue_may_be_a_quality_of_service():
    adapter = SlurmQos()
    request = SubmitRequest(
        script=Path("/db/q.sh"), name="b", project="p", queue="debug", num_nodes=1, wall_time_min=5,
        cwd=Path("/db"), output=Path("/db/q"),
    )  # fmt: skip
    submit = adapter.submit_command(request).argv
    assert "--qos=debug" in submit and not any(word.startswith("--partition") for word in submit)
    status = " ".join(adapter.status_command("me").argv)
    assert "%q" in status and "%P" not in status
