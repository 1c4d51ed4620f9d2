"""A batch job is submitted exactly once, whatever the scheduler answers and whoever else is at it."""

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from balsam.batch import Desk, cancel, refresh, submit, submit_request
from balsam.client import Client, Listener
from balsam.exceptions import BalsamError, ConfigError, UsageError
from balsam.lib.commands import Answer, Command
from balsam.schemas.batch_jobs import BatchJobInfo, BatchJobRequest
from balsam.states import BatchJobEnd, BatchJobState
from tests.integration.batch.conftest import let_pass
from tests.tiny_scheduler import LOST, TinyScheduler

B = BatchJobState
GARBLED = Answer(0, "Fatal er\x00ror")
REFUSED = Answer(1, stderr="tiny: no such project")


def answer_once(word: str, answer: Answer):
    """Give an answer to the first command of a kind."""
    answers = [answer]
    return lambda asked: answers.pop() if asked == word and answers else None


def info_of(desk: Desk, info: BatchJobInfo) -> BatchJobInfo:
    (found,) = desk.client.batch_jobs(live_only=False, ids=[info.batch_job_id])
    return found


def test_a_batch_job_is_submitted_under_its_marker(desk: Desk, tiny: TinyScheduler, intent: BatchJobInfo):
    done = submit(desk, intent.batch_job_id)

    assert (done.state, done.native_state, done.scheduler_id) == (B.QUEUED, "submitted", "101")
    assert tiny.submitted == [("101", intent.marker)]
    script = Path(done.command)
    assert script == desk.db_path / "qsubmit" / f"qlaunch{done.batch_job_id}.sh"
    assert script.stat().st_mode & 0o777 == 0o700
    assert "launcher --consume-all --job-mode mpi" in script.read_text()


def test_submitting_again_does_nothing(desk: Desk, tiny: TinyScheduler, intent: BatchJobInfo):
    first = submit(desk, intent.batch_job_id)
    assert submit(desk, intent.batch_job_id) == first
    assert len(tiny.submitted) == 1


def test_a_refusal_ends_it_with_the_words_of_the_scheduler(
    desk: Desk, request_: BatchJobRequest, tiny: TinyScheduler
):
    with pytest.raises(BalsamError, match="tiny: the queue closed is closed") as raised:
        submit_request(desk, replace(request_, queue="closed"))
    assert raised.value.exit_code == 1
    assert desk.client.batch_jobs() == []
    assert [info.state for info in desk.client.batch_jobs(live_only=False)] == [B.SUBMIT_FAILED]


@pytest.mark.parametrize("answer", [LOST, GARBLED, Answer(0, "")])
def test_what_was_taken_without_an_answer_is_found_at_once(
    desk: Desk, tiny: TinyScheduler, intent: BatchJobInfo, answer: Answer
):
    tiny.after = answer_once("submit", answer)
    assert submit(desk, intent.batch_job_id).scheduler_id == "101"
    assert len(tiny.submitted) == 1


def test_what_was_taken_late_is_found_before_another_submission(
    desk: Desk, tiny: TinyScheduler, intent: BatchJobInfo
):
    tiny.before = answer_once("submit", LOST)
    doubtful = submit(desk, intent.batch_job_id)
    assert (doubtful.state, doubtful.reason) == (B.PENDING_SUBMISSION, "tiny did not answer within 60 s")

    tiny.put("150", name=intent.marker)
    let_pass(200)
    assert submit(desk, intent.batch_job_id).scheduler_id == "150"
    assert tiny.submitted == []


def test_what_was_taken_and_ended_without_an_answer_is_found_in_the_account(
    desk: Desk, tiny: TinyScheduler, intent: BatchJobInfo
):
    tiny.before = answer_once("submit", LOST)
    submit(desk, intent.batch_job_id)
    tiny.put("150", name=intent.marker)
    tiny.end("150", BatchJobEnd.FAILED)
    let_pass(200)
    assert submit(desk, intent.batch_job_id).scheduler_id == "150"
    refresh(desk)
    assert info_of(desk, intent).end is BatchJobEnd.FAILED
    assert tiny.submitted == []


def test_what_was_not_taken_is_submitted_again_after_a_while(
    desk: Desk, tiny: TinyScheduler, intent: BatchJobInfo
):
    tiny.before = answer_once("submit", LOST)
    submit(desk, intent.batch_job_id)
    for seconds in (0, 100):
        let_pass(seconds)
        assert submit(desk, intent.batch_job_id).state is B.PENDING_SUBMISSION
    assert tiny.submitted == []
    for seconds in (100, 20):
        let_pass(seconds)
        assert submit(desk, intent.batch_job_id).state is B.PENDING_SUBMISSION
    let_pass(20)
    done = submit(desk, intent.batch_job_id)
    assert (done.state, done.reason) == (B.QUEUED, "")
    assert len(tiny.submitted) == 1


@pytest.mark.parametrize("word", ["status", "history"])
def test_nothing_is_submitted_again_while_nobody_can_look(
    desk: Desk, tiny: TinyScheduler, intent: BatchJobInfo, word: str
):
    tiny.before = answer_once("submit", LOST)
    submit(desk, intent.batch_job_id)
    let_pass(200)
    tiny.before = lambda asked: LOST if asked == word else None
    assert submit(desk, intent.batch_job_id).state is B.PENDING_SUBMISSION
    assert tiny.submitted == []


def test_an_account_that_can_never_be_read_does_not_stop_it_for_ever(
    desk: Desk, tiny: TinyScheduler, intent: BatchJobInfo
):
    tiny.has_accounting = False
    tiny.before = answer_once("submit", LOST)
    submit(desk, intent.batch_job_id)
    let_pass(700)
    assert submit(desk, intent.batch_job_id).state is B.PENDING_SUBMISSION
    let_pass(40)
    assert submit(desk, intent.batch_job_id).state is B.QUEUED


def test_a_submission_that_was_begun_elsewhere_is_looked_for_first(
    desk: Desk, tiny: TinyScheduler, intent: BatchJobInfo
):
    desk.client.begin_submission(intent.batch_job_id, 0)  # and then that process died
    tiny.put("150", name=intent.marker)
    assert submit(desk, intent.batch_job_id).scheduler_id == "150"
    assert tiny.submitted == []


def test_two_that_submit_at_once_submit_once(desk: Desk, tiny: TinyScheduler, intent: BatchJobInfo):
    barrier = threading.Barrier(4)

    def submit_too() -> None:
        barrier.wait()
        submit(desk, intent.batch_job_id)
        desk.client.transport.close()

    threads = [threading.Thread(target=submit_too) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(tiny.submitted) == 1
    assert info_of(desk, intent).scheduler_id == "101"


class Beaten(Client):
    """To a client whose intent is submitted by a service before it can submit it itself."""

    def intend_batch_job(self, request: BatchJobRequest) -> BatchJobInfo:
        info = super().intend_batch_job(request)
        self.begin_submission(info.batch_job_id, 60)
        self.service = threading.Thread(target=self._serve, args=[info.batch_job_id])
        self.is_waiting = threading.Event()
        self.service.start()
        return info

    def listen(self) -> Listener:
        self.is_waiting.set()
        return super().listen()

    def _serve(self, batch_job_id: int) -> None:
        self.is_waiting.wait(20)
        self.record_submission(batch_job_id, "150", "/x")
        self.transport.close()


def test_a_user_waits_for_the_service_that_was_faster(
    desk: Desk, tiny: TinyScheduler, request_: BatchJobRequest
):
    client = Beaten()
    assert submit_request(replace(desk, client=client), request_).scheduler_id == "150"
    client.service.join()
    assert tiny.submitted == []


def test_one_that_was_submitted_twice_is_cancelled_once(
    desk: Desk, tiny: TinyScheduler, intent: BatchJobInfo
):
    """As by a process that was stopped for minutes between its lease and its command."""
    submit(desk, intent.batch_job_id)
    tiny.put("150", name=intent.marker, queue="q")
    assert refresh(desk).cancelled_twins == ("150",)
    assert tiny.cancelled == ["150"]
    tiny.jobs.pop("150")
    refresh(desk)
    assert [info.scheduler_id for info in desk.client.batch_jobs()] == ["101"]


def test_the_executables_of_the_settings_are_run(tmp_path: Path, db: Path, request_: BatchJobRequest):
    commands: list[str] = []

    def run(command: Command) -> Answer:
        commands.append(command.argv[0])
        return tiny.run(replace(command, argv=[command.argv[0].rpartition("/")[2], *command.argv[1:]]))

    tiny = TinyScheduler()
    desk = tiny.desk(
        tmp_path, SCHEDULER_SUBMIT_EXE="/opt/tiny/submit", SCHEDULER_STATUS_EXE="/opt/tiny/status"
    )
    desk = replace(desk, run=run)
    submit_request(desk, request_)
    refresh(desk)
    assert commands == ["/opt/tiny/submit", "/opt/tiny/status"]


def test_executables_that_old_settings_name_for_another_scheduler_are_not_run(
    tmp_path: Path, db: Path, request_: BatchJobRequest
):
    desk = TinyScheduler().desk(
        tmp_path, SCHEDULER_SUBMIT_EXE="/usr/bin/qsub", SCHEDULER_STATUS_EXE="/usr/bin/qstat"
    )
    assert submit_request(desk, request_).state is B.QUEUED
    assert refresh(desk).problem == ""


# -- what is refused before anything is asked ----------------------------------------------------------


def test_a_bad_request_leaves_nothing_behind(desk: Desk, tiny: TinyScheduler, request_: BatchJobRequest):
    with pytest.raises(UsageError, match="queue"):
        submit_request(desk, replace(request_, queue="a\n#SBATCH --uid=0"))
    assert desk.client.batch_jobs(live_only=False) == []
    assert not (desk.db_path / "qsubmit").exists()


def test_a_bad_template_leaves_nothing_behind(
    desk: Desk, local_queue: Path, tiny: TinyScheduler, request_: BatchJobRequest
):
    (local_queue / "mine.tmpl").write_text("#!/bin/bash\n\necho {{ nodse }}\n")
    mine = tiny.desk(desk.db_path, JOB_TEMPLATE="mine.tmpl")
    with pytest.raises(ConfigError, match=r"mine\.tmpl, line 3: 'nodse' is undefined"):
        submit_request(mine, request_)
    assert desk.client.batch_jobs(live_only=False) == []


def test_an_intent_whose_template_is_bad_is_refused_by_the_service(
    desk: Desk, local_queue: Path, tiny: TinyScheduler, intent: BatchJobInfo
):
    (local_queue / "mine.tmpl").write_text("{% if %}")
    with pytest.raises(ConfigError, match="line 1"):
        submit(tiny.desk(desk.db_path, JOB_TEMPLATE="mine.tmpl"), intent.batch_job_id)
    assert info_of(desk, intent).state is B.SUBMIT_FAILED


def test_a_script_that_cannot_be_written_is_told(desk: Desk, intent: BatchJobInfo):
    (desk.db_path / "qsubmit").write_text("in the way")
    with pytest.raises(BalsamError, match="Cannot write the job script"):
        submit(desk, intent.batch_job_id)
    assert info_of(desk, intent).state is B.SUBMIT_FAILED


def test_flags_of_the_user_go_to_the_submit_command(
    desk: Desk, request_: BatchJobRequest, tiny: TinyScheduler
):
    seen: list[str] = []

    def run(command: Command) -> Answer:
        seen.extend(command.argv)
        return tiny.run(command)

    submit_request(replace(desk, run=run), replace(request_, sched_flags="--constraint='a b' -x"))
    assert seen[-2:] == ["--constraint=a b", "-x"]


# -- cancelling ----------------------------------------------------------------------------------------


def test_cancelling_asks_until_the_end_is_seen(desk: Desk, tiny: TinyScheduler, intent: BatchJobInfo):
    submit(desk, intent.batch_job_id)
    tiny.before = answer_once("cancel", LOST)
    assert cancel(desk, intent.batch_job_id).state is B.PENDING_DELETION
    refresh(desk)
    assert tiny.cancelled == ["101"]
    tiny.end("101", BatchJobEnd.CANCELLED)
    refresh(desk)
    assert info_of(desk, intent).end is BatchJobEnd.CANCELLED


def test_cancelling_before_the_submission_ends_it(desk: Desk, tiny: TinyScheduler, intent: BatchJobInfo):
    assert cancel(desk, intent.batch_job_id).state is B.FINISHED
    assert submit(desk, intent.batch_job_id).state is B.FINISHED
    assert tiny.submitted == tiny.cancelled == []


def test_cancelling_what_may_have_been_submitted_finds_out_first(
    desk: Desk, tiny: TinyScheduler, intent: BatchJobInfo
):
    tiny.before = answer_once("submit", LOST)
    submit(desk, intent.batch_job_id)
    cancel(desk, intent.batch_job_id)
    tiny.put("150", name=intent.marker)
    refresh(desk)
    refresh(desk)
    assert tiny.cancelled == ["150"]
    assert info_of(desk, intent).state is B.PENDING_DELETION


def test_cancelling_what_was_taken_and_has_ended_finds_out_how(
    desk: Desk, tiny: TinyScheduler, intent: BatchJobInfo
):
    tiny.before = answer_once("submit", LOST)
    submit(desk, intent.batch_job_id)
    cancel(desk, intent.batch_job_id)
    tiny.put("150", name=intent.marker)
    tiny.end("150", BatchJobEnd.COMPLETED)
    refresh(desk)
    refresh(desk)
    assert info_of(desk, intent).end is BatchJobEnd.COMPLETED


def test_cancelling_what_was_never_taken_ends_it_after_a_while(
    desk: Desk, tiny: TinyScheduler, intent: BatchJobInfo
):
    tiny.before = answer_once("submit", LOST)
    submit(desk, intent.batch_job_id)
    cancel(desk, intent.batch_job_id)
    refresh(desk)
    assert info_of(desk, intent).state is B.PENDING_DELETION
    for seconds in (200, 40):
        let_pass(seconds)
        refresh(desk)
    assert info_of(desk, intent).end is BatchJobEnd.CANCELLED
    tiny.put("150", name=intent.marker)  # it had been taken all the same
    refresh(desk)
    refresh(desk)
    assert tiny.cancelled == ["150"]
