"""`balsam service` as users run it, with the local queue where launches are wanted."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from balsam.client import Client
from balsam.core.models import ApplicationDefinition, BalsamJob
from balsam.core.models.session import Session
from balsam.lib.processes import identify
from balsam.schemas.sessions import SessionRequest
from tests.commands import run_balsam, script_path
from tests.launching import lines, script
from tests.services import ServiceHome, policy_section
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("db")

ELSEWHERE = SessionRequest(kind="service", host="login7", boot_id="b", pid=4711, start_time=1.5)


@pytest.fixture
def home(tmp_path: Path) -> ServiceHome:
    """A user of the local queue, which is closed in the policy."""
    home = ServiceHome(tmp_path / "home")
    home.configure(policy_section("local", submit="off"), SCHEDULER_CLASS="local")
    return home


@pytest.fixture
def service(home: ServiceHome) -> Iterator[Path]:
    """A service that runs; its log."""
    with home.service() as log_path:
        yield log_path


def pid_of(home: ServiceHome) -> int:
    return int(home.status()["pid"])


def add_job(directory: Path, *, hook: str = "", **fields: object) -> BalsamJob:
    program = script(directory, "work.sh", "#!/bin/sh\necho done >> $1\n")
    preprocess = str(script(directory, "hook.sh", f"#!/bin/sh\n{hook}\n")) if hook else ""
    ApplicationDefinition.objects.update_or_create(
        name="work", defaults={"executable": str(program), "preprocess": preprocess}
    )
    return BalsamJob.objects.create(
        name="j", workflow="w", application="work", args=str(directory / "trace"), **fields
    )


def state(job: BalsamJob) -> str:
    job.refresh_from_db()
    return str(job.state)


def test_it_is_up_when_the_command_returns_and_names_its_host_first(home: ServiceHome):
    home.configure(policy_section("local"), SCHEDULER_CLASS="local", LOG_HANDLER_LEVEL="ERROR")
    with home.service() as log_path:
        status = home.status()
        first = log_path.read_text().splitlines()[0]
        assert f"Balsam service on host {status['host']}, pid {status['pid']}" in first
        assert (status["state"], status["host"]) == ("running", os.uname().nodename)
        assert status["log"] == str(log_path)
        assert identify(status["pid"]) is not None


def test_nothing_of_the_terminal_reaches_it(service: Path, home: ServiceHome):
    pid = pid_of(home)
    assert os.getsid(pid) == pid
    assert [os.readlink(f"/proc/{pid}/fd/{number}") for number in range(3)] == [
        "/dev/null",
        *[str(service)] * 2,
    ]
    os.kill(pid, signal.SIGHUP)
    assert pid_of(home) == pid
    assert identify(pid) is not None


def test_second_one_says_where_the_first_runs(service: Path, home: ServiceHome):
    logs = set(service.parent.glob("service_*"))
    refused = home.run()
    assert refused.returncode == 1
    assert f"runs on host {os.uname().nodename} (pid {pid_of(home)}), since 2" in refused.stderr
    assert "`balsam service --stop` stops it" in refused.stderr
    assert set(service.parent.glob("service_*")) == logs


def test_of_three_that_start_at_once_one_stays(home: ServiceHome):
    with ThreadPoolExecutor(3) as pool:
        done = [pool.submit(home.run) for _ in range(3)]
    codes = sorted(future.result().returncode for future in done)
    home.run("--stop").check()
    assert codes == [0, 1, 1]


def test_killed_one_is_replaced_at_once(service: Path, home: ServiceHome, tmp_path: Path):
    job = add_job(tmp_path, hook="echo x >> trace; [ $(wc -l < trace) -gt 1 ] || sleep 300")
    wait_until(lambda: (job.refresh_from_db(), job.lock)[1], what="the hook to be under way")
    first = pid_of(home)
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: identify(first) is None)
    assert home.status()["state"] == "dead"
    with home.service():
        assert pid_of(home) != first
        wait_until(lambda: state(job) == "PREPROCESSED", what="the hook, done again")
    assert home.run("--stop").check().stdout == "No service runs on this database.\n"


def test_one_that_died_is_cleaned_up_by_stop(service: Path, home: ServiceHome):
    os.kill(pid_of(home), signal.SIGKILL)
    wait_until(lambda: home.status()["state"] == "dead")
    assert "had died" in home.run("--stop").check().stdout
    assert home.run("--status").returncode == 3


def test_one_on_another_host_has_the_database_until_its_lease_is_over(home: ServiceHome):
    session = Client().open_service(ELSEWHERE)
    refused = home.run()
    assert refused.returncode == 1
    assert "runs on host login7 (pid 4711), since 2" in refused.stderr
    assert "`ssh login7 kill 4711`" in refused.stderr
    stopped = home.run("--stop")
    assert stopped.returncode == 7
    assert "`ssh login7 kill 4711`" in stopped.stderr
    assert home.status()["state"] == "running"
    Session.objects.filter(pk=session.session_id).update(expires="2000-01-01T00:00Z")
    with home.service():
        assert home.status()["host"] != "login7"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_it_in_an_orderly_way(service: Path, home: ServiceHome, number: int, tmp_path: Path):
    job = add_job(tmp_path, hook="sleep 300")
    wait_until(lambda: (job.refresh_from_db(), job.lock)[1], what="the hook to be under way")
    pid = pid_of(home)
    os.kill(pid, number)
    wait_until(lambda: identify(pid) is None, 15, what="its end")
    assert home.status() == {}
    assert (state(job), job.lock) == ("STAGED_IN", "")
    assert Session.objects.get().end_reason == f"The service was stopped by {signal.Signals(number).name}"


def test_foreground_ends_with_0_by_ctrl_c(home: ServiceHome):
    process = subprocess.Popen(
        [script_path("balsam"), "service", "--foreground"],
        env={**os.environ, **home.environ},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == f"Starting Balsam service [{process.pid}]\n"
        assert pid_of(home) == process.pid
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.communicate()
    assert home.status() == {}


def test_policy_that_is_wrong_is_told_and_nothing_runs(home: ServiceHome):
    home.set_policy("[local]\nsubmit-jobs = perhaps\nmax-queued = 1\npolicy = []\n")
    refused = home.run()
    assert refused.returncode == 2
    assert (
        f"{home.path}/theta_policy.ini, line 2: submit-jobs is 'perhaps'. Write on or off." in refused.stderr
    )
    assert "Traceback" not in refused.stderr
    assert home.status() == {}


def test_unknown_scheduler_is_told_and_nothing_runs(home: ServiceHome):
    home.configure(policy_section("local"), SCHEDULER_CLASS="lokal")
    refused = home.run()
    assert refused.returncode == 2
    assert "'lokal' is not known" in refused.stderr
    assert home.status() == {}


def test_database_that_is_down_is_told(home: ServiceHome, tmp_path: Path):
    (tmp_path / "nothing").mkdir()
    refused = run_balsam("service", env={**home.environ, "BALSAM_DB_PATH": str(tmp_path / "nothing")})
    assert refused.returncode == 6
    assert "Traceback" not in refused.stderr


def test_options_that_exclude_each_other_are_refused(home: ServiceHome):
    assert home.run("--stop", "--status").returncode == 2
    assert home.run("--status").returncode == 3
    assert home.run("--stop").returncode == 0


def test_hooks_and_staging_run_without_a_launcher(service: Path, home: ServiceHome, tmp_path: Path):
    job = add_job(tmp_path, hook="pwd > where")
    wait_until(lambda: state(job) == "PREPROCESSED")
    assert lines(Path(job.working_directory) / "where")


def test_steps_of_a_job_that_is_killed_are_ended(service: Path, home: ServiceHome, tmp_path: Path):
    job = add_job(tmp_path, hook="echo $$ > pid; exec sleep 300")
    pids = Path(job.working_directory) / "pid"
    wait_until(lambda: lines(pids), what="the hook to be under way")
    run_balsam("kill", str(job.pk), "--yes").check()
    wait_until(lambda: identify(int(lines(pids)[0])) is None, what="end of the hook")
    assert state(job) == "USER_KILLED"


def test_work_is_done_by_launches_of_the_local_queue(home: ServiceHome, tmp_path: Path):
    home.set_policy(policy_section("local", (1, 1, 0, 1)))
    job = add_job(tmp_path, hook="true")
    with home.service():
        wait_until(lambda: state(job) == "JOB_FINISHED", 60)
        wait_until(lambda: home.status()["waits_for"].startswith("jobs: none"), 30)
        table = home.run("--status").check().stdout
    assert lines(tmp_path / "trace") == ["done"]
    assert "local | open" in table
    assert "scheduler  local" in table


def test_restart_of_the_database_is_outlasted(service: Path, home: ServiceHome, tmp_path: Path):
    pid = pid_of(home)
    run_balsam("server", "--reset").check()
    job = add_job(tmp_path, hook="true")
    wait_until(lambda: state(job) == "PREPROCESSED", 60)
    assert pid_of(home) == pid


def test_service_that_was_taken_for_dead_takes_another_session(
    service: Path, home: ServiceHome, tmp_path: Path
):
    pid, session = pid_of(home), Session.objects.get()
    Client().close_session(session.pk, "taken for dead")
    job = add_job(tmp_path, hook="true")
    wait_until(lambda: home.status().get("pid") == pid, 90, what="another session")
    wait_until(lambda: state(job) == "PREPROCESSED", 60)
    assert Session.objects.filter(kind="service").count() == 2


def test_idle_service_hardly_uses_the_processor(service: Path, home: ServiceHome):
    pid = pid_of(home)
    wait_until(lambda: loops_done(home) >= {"policy", "launches", "leases", "processing", "scheduler"})
    before = cpu_ticks(pid)
    cycles = policy_cycles(home)
    wait_until(lambda: policy_cycles(home) >= cycles + 2, 60, what="two rounds of the policy loop")
    assert cpu_ticks(pid) - before < os.sysconf("SC_CLK_TCK"), "less than a second in more than ten"


def loops_done(home: ServiceHome) -> set[str]:
    return {loop["name"] for loop in home.status()["loops"] if loop["cycles"]}


def policy_cycles(home: ServiceHome) -> int:
    return next(int(loop["cycles"]) for loop in home.status()["loops"] if loop["name"] == "policy")


def cpu_ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def test_process_that_dies_at_once_is_told(home: ServiceHome, tmp_path: Path):
    (tmp_path / "broken" / "balsam").mkdir(parents=True)
    (tmp_path / "broken" / "sitecustomize.py").write_text(
        "import os, sys\nif 'balsam.agent' in sys.orig_argv: os._exit(3)\n"
    )
    env = {**home.environ, "PYTHONPATH": str(tmp_path / "broken")}
    failed = subprocess.run(
        [sys.executable, "-P", script_path("balsam"), "service"],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
    )
    assert failed.returncode == 1
    assert "The service has not started: its process ended with 3" in failed.stderr
