"""A processor on a real database, with real hooks."""

import threading
from pathlib import Path

import pytest

from balsam.client import Client, InProcess
from balsam.core import leases
from balsam.core.models import BalsamJob
from balsam.exceptions import DatabaseUnreachable, LeaseLostError
from balsam.lib.processes import orphans_of
from balsam.processing import Processor
from balsam.schemas.sessions import Selection
from balsam.states import JobState as S
from tests.integration.processing.conftest import open_session
from tests.launching import lines, script
from tests.waiting import wait_until

WAITS = "#!/bin/sh\ntouch started\nsleep 1000\n"


def state_of(job: BalsamJob) -> S:
    return S(BalsamJob.objects.get(pk=job.pk).state)


def wait_for_state(job: BalsamJob, state: S) -> None:
    wait_until(lambda: state_of(job) is state, what=f"{job.cute_id} to become {state}")


def in_workdir(job: BalsamJob, name: str) -> Path:
    return Path(job.working_directory) / name


def are_gone(tmp_path: Path) -> bool:
    """Say whether no hook of this test's jobs, and nothing that one has started, runs any more."""
    return not orphans_of("MARK", str(tmp_path))


def history(job: BalsamJob) -> list[tuple[str, str]]:
    return [(event.to_state, event.message) for event in BalsamJob.objects.get(pk=job.pk).events()]


def test_a_preprocess_is_run_when_the_processor_starts_and_when_it_is_woken(
    tmp_path, start_processor, add_app, add_job, replies
):
    add_app(preprocess=str(script(tmp_path, "pre.sh", "#!/bin/sh\necho $BALSAM_JOB_ID\n")))
    first = add_job("first")
    processor = start_processor()
    wait_for_state(first, S.PREPROCESSED)
    second = add_job("second")
    processor.wake()
    wait_for_state(second, S.PREPROCESSED)
    for job in (first, second):
        text = in_workdir(job, "preprocess.log").read_text()
        assert text.count(str(job.job_id)) == 2
        assert BalsamJob.objects.get(pk=job.pk).lock == ""
    wait_until(lambda: not processor.is_busy())
    assert sum(reply.applied for reply in replies) == 2


def test_many_jobs_are_processed_once_each(tmp_path, start_processor, add_app):
    ran = tmp_path / "ran"
    add_app(preprocess=str(script(tmp_path, "pre.sh", f'#!/bin/sh\necho "$BALSAM_JOB_ID" >> {ran}\n')))
    jobs = BalsamJob.objects.bulk_create(
        BalsamJob(name=f"job{number}", workflow="test", application="app") for number in range(60)
    )
    start_processor(concurrency=4)
    wait_until(lambda: BalsamJob.objects.filter(state=S.PREPROCESSED).count() == 60)
    assert sorted(lines(ran)) == sorted(str(job.job_id) for job in jobs)


def test_only_jobs_of_the_workflow_are_taken(start_processor, add_app, add_job):
    add_app(preprocess="true")
    other, mine = add_job(workflow="other"), add_job(workflow="my-workflow")
    processor = start_processor(selection=Selection(workflow="my-"))
    wait_for_state(mine, S.PREPROCESSED)
    wait_until(lambda: not processor.is_busy())
    assert state_of(other) is S.STAGED_IN


def test_with_concurrency_zero_nothing_is_done(start_processor, add_app, add_job):
    add_app(preprocess="true")
    job = add_job()
    processor = start_processor(concurrency=0)
    processor.wake()
    assert not processor.is_busy()
    assert processor.stop(1)
    assert state_of(job) is S.STAGED_IN


def test_one_bad_job_fails_alone(tmp_path, start_processor, add_app, add_job):
    add_app(preprocess="true")
    (tmp_path / "file").touch()
    bad = [
        add_job("no such app", application="missing"),
        add_job("no app", application=""),
        add_job("no input", stage_in_url="/no/such/file"),
        add_job("bad transport", stage_in_url="gsiftp://host/x"),
    ]
    in_workdir(bad[2], "").parent.mkdir(parents=True, exist_ok=True)
    blocked = add_job("blocked")
    Path(blocked.working_directory).parent.mkdir(parents=True, exist_ok=True)
    Path(blocked.working_directory).touch()
    good = add_job("good")
    start_processor(concurrency=1)
    wait_for_state(good, S.PREPROCESSED)
    for job in [*bad, blocked]:
        wait_for_state(job, S.FAILED)
        assert history(job)[-1][1], "the history says why"


def test_a_job_killed_while_its_preprocess_runs_stays_killed_and_the_hook_ends(
    tmp_path, start_processor, add_app, add_job
):
    """T14."""
    add_app(preprocess=str(script(tmp_path, "pre.sh", WAITS)))
    job = add_job()
    processor = start_processor()
    wait_until(in_workdir(job, "started").exists)
    job.update_state("USER_KILLED", "by the test")
    processor.lost([str(job.job_id)])
    wait_until(lambda: not processor.is_busy())
    wait_until(lambda: are_gone(tmp_path))
    assert history(job)[-1] == ("USER_KILLED", "by the test")


def test_a_job_deleted_while_its_preprocess_runs_takes_the_hook_with_it(
    tmp_path, start_processor, add_app, add_job
):
    add_app(preprocess=str(script(tmp_path, "pre.sh", WAITS)))
    job = add_job()
    processor = start_processor()
    wait_until(in_workdir(job, "started").exists)
    job_id = str(job.job_id)
    job.delete()
    processor.lost([job_id])
    wait_until(lambda: not processor.is_busy())
    wait_until(lambda: are_gone(tmp_path))


def test_a_missed_kill_is_noticed_later(tmp_path, start_processor, add_app, add_job, monkeypatch):
    monkeypatch.setattr("balsam.processing.courier.LOOK_SEC", 0.2)
    add_app(preprocess=str(script(tmp_path, "pre.sh", WAITS)))
    job = add_job()
    processor = start_processor()
    wait_until(in_workdir(job, "started").exists)
    job.update_state("USER_KILLED")
    wait_until(lambda: not processor.is_busy())


def test_work_of_which_no_notice_came_is_found_later(start_processor, add_app, add_job, monkeypatch):
    monkeypatch.setattr("balsam.processing.courier.LOOK_SEC", 0.2)
    add_app(preprocess="true")
    first = add_job()
    start_processor()
    wait_for_state(first, S.PREPROCESSED)
    wait_for_state(add_job(), S.PREPROCESSED)


def test_a_hook_that_moves_its_own_job_is_let_finish(tmp_path, start_processor, add_app, add_job, launcher):
    hook = script(
        tmp_path,
        "post.sh",
        "#!/bin/sh\ntouch started\nwhile ! [ -e go ]; do sleep 0.02; done\ntouch finished\n",
    )
    add_app(postprocess=str(hook))
    job = add_job(post_error_handler=True)
    launcher.run_all(end=S.RUN_ERROR)
    processor = start_processor()
    wait_until(in_workdir(job, "started").exists)
    job.update_state("JOB_FINISHED", "the handler says so")
    processor.lost([str(job.job_id)])
    in_workdir(job, "go").touch()
    wait_until(lambda: not processor.is_busy())
    assert in_workdir(job, "finished").exists()
    assert history(job)[-1] == ("JOB_FINISHED", "the handler says so")


def test_a_job_claimed_again_waits_for_its_older_hook(tmp_path, start_processor, add_app, add_job, launcher):
    hook = script(
        tmp_path,
        "post.sh",
        '#!/bin/sh\n[ -e busy ] && touch overlap\ntouch busy\necho "x$BALSAM_JOB_ERROR" >> ran\n'
        "while ! [ -e go ]; do sleep 0.02; done\nrm busy\n",
    )
    add_app(postprocess=str(hook))
    job = add_job(post_error_handler=True)
    launcher.run_all(end=S.RUN_ERROR)
    processor = start_processor()
    wait_until(lambda: lines(in_workdir(job, "ran")) == ["xTRUE"])
    job.update_state("RUN_DONE", "the handler says so")
    processor.wake()
    wait_until(lambda: BalsamJob.objects.get(pk=job.pk).lock != "")
    in_workdir(job, "go").touch()
    wait_for_state(job, S.JOB_FINISHED)
    assert lines(in_workdir(job, "ran")) == ["xTRUE", "x"]
    assert not in_workdir(job, "overlap").exists()


def test_stopping_ends_hooks_and_hands_their_jobs_back(tmp_path, start_processor, add_app, add_job):
    add_app(preprocess=str(script(tmp_path, "pre.sh", WAITS)))
    job = add_job()
    processor = start_processor(concurrency=1)
    wait_until(in_workdir(job, "started").exists)
    assert processor.held_ids() == [str(job.job_id)]
    assert processor.stop(10)
    wait_until(lambda: are_gone(tmp_path))
    assert BalsamJob.objects.get(pk=job.pk).lock == ""
    assert history(job)[-1] == ("STAGED_IN", "Interrupted; the step will be done again")


def test_a_stopped_step_is_done_again_by_the_next_processor(tmp_path, start_processor, add_app, add_job):
    hook = script(tmp_path, "pre.sh", "#!/bin/sh\n[ -e started ] && exit 0\ntouch started\nsleep 1000\n")
    add_app(preprocess=str(hook))
    job = add_job()
    first = start_processor()
    wait_until(in_workdir(job, "started").exists)
    first.stop(10)
    start_processor()
    wait_for_state(job, S.PREPROCESSED)


def test_stopping_lets_steps_end_by_themselves_where_there_is_time(
    tmp_path, start_processor, add_app, add_job
):
    hook = script(tmp_path, "pre.sh", "#!/bin/sh\ntouch started\nwhile ! [ -e go ]; do sleep 0.02; done\n")
    add_app(preprocess=str(hook))
    job = add_job()
    processor = start_processor()
    wait_until(in_workdir(job, "started").exists)
    threading.Timer(0.1, in_workdir(job, "go").touch).start()
    assert processor.stop(10, drain_sec=30)
    assert state_of(job) is S.PREPROCESSED


def test_a_hook_may_take_no_longer_than_the_limit(tmp_path, start_processor, add_app, add_job):
    add_app(preprocess=str(script(tmp_path, "pre.sh", WAITS)))
    job = add_job()
    start_processor(hook_timeout_sec=0.3)
    wait_for_state(job, S.FAILED)
    assert "took longer than 0.3 s" in history(job)[-1][1]
    wait_until(lambda: are_gone(tmp_path))


def test_a_lost_session_ends_hooks_and_nothing_is_reported(
    tmp_path, start_processor, add_app, add_job, session_id
):
    add_app(preprocess=str(script(tmp_path, "pre.sh", WAITS)))
    job = add_job()
    processor = start_processor()
    wait_until(in_workdir(job, "started").exists)
    leases.close(session_id, "taken over by the test")
    processor.lost(processor.held_ids())
    wait_until(lambda: not processor.is_busy())
    wait_until(lambda: are_gone(tmp_path))
    assert state_of(job) is S.STAGED_IN


def test_two_processors_share_the_work_and_do_nothing_twice(tmp_path, start_processor, add_app):
    ran = tmp_path / "ran"
    add_app(preprocess=str(script(tmp_path, "pre.sh", f'#!/bin/sh\necho "$BALSAM_JOB_ID" >> {ran}\n')))
    jobs = BalsamJob.objects.bulk_create(
        BalsamJob(name=f"job{number}", application="app") for number in range(40)
    )
    start_processor()
    second = Processor(Client(), open_session(), concurrency=2)
    second.start()
    try:
        wait_until(lambda: BalsamJob.objects.filter(state=S.PREPROCESSED).count() == 40)
    finally:
        second.stop(5)
    assert sorted(lines(ran)) == sorted(str(job.job_id) for job in jobs)


def test_held_jobs_are_complete_while_they_are_reconciled(
    tmp_path, start_processor, add_app, add_job, session_id
):
    add_app(preprocess=str(script(tmp_path, "pre.sh", WAITS)))
    job = add_job()
    processor = start_processor()
    wait_until(in_workdir(job, "started").exists)
    with processor.holding() as held:
        assert Client().reconcile(session_id, held) == 0
    assert held == [str(job.job_id)]


class Unreliable(InProcess):
    """A transport on which calls fail, by operation, as often as is said."""

    def __init__(self, error: Exception, **failures: int) -> None:
        self.error = error
        self.failures = {name.replace("_", "."): count for name, count in failures.items()}
        self.closed_by: list[str] = []

    def call(self, operation, *args, **kwargs):
        if self.failures.get(operation, 0) > 0:
            self.failures[operation] -= 1
            raise self.error
        return super().call(operation, *args, **kwargs)

    def close(self) -> None:
        self.closed_by.append(threading.current_thread().name)
        super().close()


def test_no_result_is_lost_while_the_database_is_away(start_processor, add_app, add_job):
    add_app(preprocess="true")
    jobs = [add_job(f"job{number}") for number in range(3)]
    transport = Unreliable(DatabaseUnreachable("away"), steps_claim=2, steps_report=3)
    processor = start_processor(Client(transport))
    for job in jobs:
        wait_for_state(job, S.PREPROCESSED)
    assert set(transport.failures.values()) == {0}
    assert processor.stop(5)
    assert sorted(transport.closed_by) == ["step courier", "transfer courier"]


def test_one_result_that_is_refused_does_not_keep_the_others_back(start_processor, add_app, add_job):
    add_app(preprocess="true")
    poisoned = add_job("poisoned")

    class Poison(InProcess):
        def call(self, operation, *args, **kwargs):
            if operation == "steps.report" and any(r.job_id == str(poisoned.job_id) for r in args[1]):
                raise RuntimeError("cannot take this one")
            return super().call(operation, *args, **kwargs)

    jobs = [add_job(f"job{number}") for number in range(5)]
    processor = start_processor(Client(Poison()))
    for job in jobs:
        wait_for_state(job, S.PREPROCESSED)
    wait_until(lambda: processor.held_ids() == [str(poisoned.job_id)])
    assert not processor.stop(0.5), "a result is still to be reported"


@pytest.mark.parametrize("operation", ["steps_claim", "steps_report", "steps_revoked"])
def test_a_lost_lease_ends_the_processor(tmp_path, start_processor, add_app, add_job, operation):
    add_app(preprocess=str(script(tmp_path, "pre.sh", '#!/bin/sh\n[ -e "$QUICK" ] || sleep 1000\n')))
    jobs = [add_job("slow"), add_job("quick", environ_vars={"QUICK": "/", "MARK": str(tmp_path)})]
    processor = start_processor(Client(Unreliable(LeaseLostError(), **{operation: 99})))
    processor.lost([str(job.job_id) for job in jobs])
    processor.wake()
    wait_until(lambda: (processor.lost(processor.held_ids()), not processor.is_busy())[1])
    wait_until(lambda: are_gone(tmp_path))
    assert processor.stop(5)


def test_an_error_of_the_owner_does_not_end_the_processor(session_id, add_app, add_job):
    add_app(preprocess="true")
    first = add_job()

    def fail(reply: object) -> None:
        raise RuntimeError("the owner's own")

    processor = Processor(Client(), session_id, concurrency=1, on_reported=fail)
    processor.start()
    try:
        wait_for_state(first, S.PREPROCESSED)
        second = add_job()
        processor.wake()
        wait_for_state(second, S.PREPROCESSED)
    finally:
        processor.stop(5)
