"""The launcher as users run it: the real command on a real database."""

import collections
import os
import signal
import sys
from pathlib import Path

import pytest

from balsam.core.models import ApplicationDefinition, BalsamJob
from tests.launching import finish, launcher, lines, run_launcher, script
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("db")


def app(name: str, executable: object, **fields: str) -> str:
    ApplicationDefinition.objects.create(name=name, executable=str(executable), **fields)
    return name


def jobs(application: str, count: int, **fields: object) -> list[BalsamJob]:
    return BalsamJob.objects.bulk_create(
        [BalsamJob(name=f"j{i}", workflow="w", application=application, **fields) for i in range(count)]
    )


def states() -> collections.Counter[str]:
    return collections.Counter(BalsamJob.objects.values_list("state", flat=True))


@pytest.mark.parametrize("mode", ["serial", "mpi"])
def test_jobs_run_once_each_and_the_launcher_leaves(mode: str, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    app("note", script(tmp_path, "note", f"#!/bin/sh\necho $BALSAM_JOB_ID >> {ran}\n"))
    made = jobs("note", 30, node_packing_count=4)
    done = run_launcher(mode=mode).check()
    assert states() == {"JOB_FINISHED": 30}
    assert sorted(lines(ran)) == sorted(str(job.job_id) for job in made)
    assert "30 jobs finished, 0 failed" in done.stdout


def test_launcher_on_an_empty_database_leaves_at_once() -> None:
    assert "0 jobs finished" in run_launcher(timeout_sec=20).check().stdout


def test_launcher_for_a_workflow_that_nobody_has_says_so() -> None:
    done = run_launcher("--wf-filter=nobody", timeout_sec=20).check()
    assert "No unfinished job has a workflow that contains 'nobody'" in done.stdout


def test_launcher_that_is_stopped_says_what_that_cut_short(tmp_path: Path) -> None:
    app("sleep", script(tmp_path, "sleep", "#!/bin/sh\nexec sleep 600\n"))
    jobs("sleep", 2, node_packing_count=2)
    with launcher() as running:
        wait_until(lambda: states() == {"RUNNING": 2})
        running.send_signal(signal.SIGINT)
        done = finish(running)
    assert "stopped by SIGINT: 2 running jobs cut short" in done.stdout
    assert done.returncode == 130
    assert states() == {"RESTART_READY": 2}


def test_failed_job_fails_the_launcher_unless_told_otherwise(tmp_path: Path) -> None:
    app("bad", script(tmp_path, "bad", "#!/bin/sh\necho it is broken\nexit 3\n"))
    [job] = jobs("bad", 1)
    assert run_launcher().returncode == 1
    job.refresh_from_db()
    assert job.state == "FAILED" and job.return_code == 3
    assert "exit code 3\nit is broken" in job.state_history
    jobs("bad", 1)
    assert run_launcher("--ignore-failures").returncode == 0


def test_bad_jobs_fail_alone_each_with_its_reason(tmp_path: Path) -> None:
    app("good", "/bin/true")
    app("gone", tmp_path / "gone")
    app("blank", "")
    plain = tmp_path / "plain"
    plain.write_text("not executable")
    app("plain", plain)
    made = {
        "no such file": jobs("gone", 1)[0],
        "has no executable": jobs("blank", 1)[0],
        "is not executable": jobs("plain", 1)[0],
        "no application named": jobs("nowhere", 1)[0],
        "names no application": jobs("", 1)[0],
    }
    jobs("good", 20)
    run_launcher("--ignore-failures").check()
    assert states() == {"JOB_FINISHED": 20, "FAILED": len(made)}
    for reason, job in made.items():
        assert reason.lower() in job.state_history.lower()


def test_inherited_environment_and_job_variables_reach_the_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FROM_SHELL", "kept")
    app("env", "/usr/bin/env")
    [job] = jobs("env", 1, environ_vars="A=1:B=x y", threads_per_rank=2)
    run_launcher().check()
    output = job.read_file_in_workdir("j0.out")
    found = dict(line.split("=", 1) for line in output.splitlines() if "=" in line)
    assert found["FROM_SHELL"] == "kept" and found["A"] == "1" and found["B"] == "x y"
    assert found["BALSAM_JOB_ID"] == str(job.job_id) and found["OMP_NUM_THREADS"] == "2"
    assert found["BALSAM_JOB_MODE"] == "serial" and found["BALSAM_LAUNCHER_NODES"] == "1"
    assert "PATH" in found and found["BALSAM_DB_PATH"] == os.environ["BALSAM_DB_PATH"]


def test_sigterm_ends_jobs_as_timeouts_and_the_next_launcher_restarts_them(tmp_path: Path) -> None:
    started = tmp_path / "started"
    text = f"#!/bin/sh\necho x >> {started}\n[ -e {tmp_path}/go ] || sleep 600\n"
    app("slow", script(tmp_path, "slow", text))
    [job] = jobs("slow", 1)
    with launcher() as running:
        wait_until(lambda: lines(started))
        running.send_signal(signal.SIGTERM)
        assert finish(running).returncode == 0
    times = job.get_state_times()
    assert "RUN_TIMEOUT" in times and "RESTART_READY" in times
    assert "SIGTERM" in job.state_history
    (tmp_path / "go").touch()
    run_launcher().check()
    job.refresh_from_db()
    assert job.state == "JOB_FINISHED" and job.attempt == 2
    assert Path(job.working_directory, "j0.out.1").exists(), "the first attempt's output is kept"


def test_time_limit_ends_jobs_as_timeouts(tmp_path: Path) -> None:
    app("slow", "/bin/sleep 600")
    [job] = jobs("slow", 1, wall_time_minutes=0)
    run_launcher("--time-limit-minutes", "0.2")
    assert "ran out of time" in job.state_history and "RESTART_READY" in job.get_state_times()


def test_tiny_time_limit_is_a_limit() -> None:
    app("slow", "/bin/sleep 600")
    [job] = jobs("slow", 1, wall_time_minutes=0)
    run_launcher("--time-limit-minutes", "0.01", timeout_sec=60).check()
    job.refresh_from_db()
    assert job.state in ("PREPROCESSED", "RESTART_READY") and job.lock == ""


def test_job_that_exits_with_one_is_started_once(tmp_path: Path) -> None:
    app("bad", script(tmp_path, "bad", f"#!/bin/sh\necho x >> {tmp_path}/started\nexit 1\n"))
    jobs("bad", 1)
    assert run_launcher().returncode == 1
    assert lines(tmp_path / "started") == ["x"]


def test_job_that_needs_more_time_than_is_left_is_not_started() -> None:
    app("true", "/bin/true")
    jobs("true", 1, wall_time_minutes=60)
    done = run_launcher("--time-limit-minutes", "1").check()
    assert "1 job may run longer than the time that was left" in done.stdout
    assert states() == {"PREPROCESSED": 1}
    run_launcher("--time-limit-minutes", "1", "--no-time-check").check()
    assert states() == {"JOB_FINISHED": 1}


@pytest.mark.parametrize("mode", ["serial", "mpi"])
def test_killed_job_is_stopped_with_all_its_processes(mode: str, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    app("family", script(tmp_path, "family", f"#!/bin/sh\nsleep 600 &\necho $! >> {pids}\nwait\n"))
    [job] = jobs("family", 1)
    with launcher(mode=mode) as running:
        [pid] = wait_until(lambda: lines(pids))
        job.update_state("USER_KILLED", "enough")
        done = finish(running)
    assert "1 job ended early: killed" in done.stdout
    job.refresh_from_db()
    assert job.state == "USER_KILLED"
    wait_until(lambda: not Path(f"/proc/{pid}").exists())


def test_two_launchers_share_the_jobs_without_a_double_run(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    app("note", script(tmp_path, "note", f"#!/bin/sh\necho $BALSAM_JOB_ID >> {ran}\n"))
    made = jobs("note", 400, node_packing_count=8)
    with launcher() as first, launcher() as second:
        assert finish(first).returncode == 0 and finish(second).returncode == 0
    assert states() == {"JOB_FINISHED": 400}
    assert sorted(lines(ran)) == sorted(str(job.job_id) for job in made)


def test_persistent_launcher_takes_work_that_comes_later(tmp_path: Path) -> None:
    app("true", "/bin/true")
    with launcher("--persistent") as running:
        jobs("true", 3)
        wait_until(lambda: states() == {"JOB_FINISHED": 3})
        jobs("true", 3)
        wait_until(lambda: states() == {"JOB_FINISHED": 6})
        running.send_signal(signal.SIGTERM)
        assert finish(running).returncode == 0


def test_children_run_after_their_parents_and_only_in_their_launchers_workflow(tmp_path: Path) -> None:
    order = tmp_path / "order"
    app("note", script(tmp_path, "note", f'#!/bin/sh\necho "$1" >> {order}\n'))
    last = BalsamJob(name="last", workflow="w1", application="note", args="last")
    last.save()
    first = [BalsamJob(name=f"p{i}", workflow="w1", application="note", args=f"p{i}") for i in range(3)]
    BalsamJob.objects.bulk_create(first)
    last.set_parents(first)
    other = BalsamJob(name="other", workflow="x2", application="note")
    other.save()
    run_launcher("--wf-filter=w1").check()
    assert lines(order)[-1] == "last" and len(lines(order)) == 4
    other.refresh_from_db()
    assert other.state == "PREPROCESSED"


def test_python_script_as_its_own_application_finds_its_job(tmp_path: Path) -> None:
    path = script(
        tmp_path,
        "app.py",
        f"#!{sys.executable}\nfrom balsam.launcher.dag import current_job\n"
        "current_job.data['y'] = current_job.data['x'] ** 2\ncurrent_job.save()\n",
    )
    app("square", path)
    jobs("square", 4, node_packing_count=4, data={"x": 7})
    run_launcher().check()
    assert set(BalsamJob.objects.values_list("state", "data__y")) == {("JOB_FINISHED", 49)}
