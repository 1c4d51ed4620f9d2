"""Many jobs that bring a file by rsync and take a result back, while their agent and sshd are killed.

BALSAM_TEST_CAMPAIGN_JOBS sets the size (1000 is the whole campaign, the default is quick).
"""

import hashlib
import os
import shutil
import signal
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pexpect
import pytest

from balsam.api import App, Job, Site, TransferItem
from balsam.core.models import BalsamJob, JobEvent, Session
from balsam.core.models import TransferItem as Row
from balsam.platform.transfer import parse_address
from balsam.processing.transfers.logins import master_of
from balsam.states import JobState as S
from tests.commands import Finished, run_balsam, script_path
from tests.sshd import Login, Sshd, start_sshd
from tests.waiting import wait_until

COUNT = int(os.environ.get("BALSAM_TEST_CAMPAIGN_JOBS", "60"))
SIZE = 100_000
#: How long sshd is stopped.
STOP_SEC = 30.0 if "BALSAM_TEST_CAMPAIGN_JOBS" in os.environ else 2.0
SLOTS = {
    "data": {"required": True, "direction": "in", "local_path": "in.dat"},
    "result": {"required": True, "direction": "out", "local_path": "out.dat"},
}
LOGIN = Login()


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Sshd]:
    with start_sshd(tmp_path / "sshd", login=LOGIN) as found:
        yield found


@pytest.fixture
def environ(db: Path, tmp_path: Path, sshd: Sshd) -> dict[str, str]:
    home = {"BALSAM_HOME": str(tmp_path / "home"), "BALSAM_SITE_PATH": ""}
    return {"BALSAM_DB_PATH": str(db), **home, **sshd.environ()}


@pytest.fixture
def site_path(environ: dict[str, str], tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "site"
    run_balsam("site", "init", "-n", "campaign", "-c", "local", path, env=environ).check()
    text = (path / "settings.yml").read_text()
    assert "transfer_locations: {}" in text
    locations = "transfer_locations: {far: rsync://theta}"
    (path / "settings.yml").write_text(text.replace("transfer_locations: {}", locations))
    yield path
    run_balsam("site", "stop", cwd=path, env=environ)
    for log in path.glob("log/*"):
        print(f"== {log}\n{log.read_text(errors='backslashreplace')[-6000:]}")


def log_in(environ: dict[str, str]) -> None:
    """Answer the questions of ssh once, as a person does."""
    child = pexpect.spawn(
        script_path("balsam"), ["transfer", "login", "far"], env={**os.environ, **environ}, timeout=60
    )
    for question, answer in LOGIN.questions.items():
        child.expect_exact(question)
        child.sendline(answer)
    child.expect_exact("Logged in to theta")
    child.expect(pexpect.EOF)


def make_files(far: Path) -> dict[str, str]:
    (far / "in").mkdir(parents=True)
    sums = {}
    for number in range(COUNT):
        content = hashlib.shake_128(str(number).encode()).digest(SIZE)
        (far / "in" / f"{number}.dat").write_bytes(content)
        sums[str(number)] = hashlib.sha256(content).hexdigest()
    return sums


def seconds_of_one_rsync(far: Path, target: Path, sshd: Sshd) -> float:
    """Time one `rsync -r` of the same files, through the connection that transfers have."""
    socket = master_of(parse_address("rsync://theta/")).socket
    shell = f"ssh -F {sshd.config} -o ControlPath={socket}"
    words = ["rsync", "-r", "-e", shell, f"theta:{far}/in/", f"{target}/"]
    began = time.monotonic()
    subprocess.run(words, check=True, env={**os.environ, **sshd.environ()})
    return time.monotonic() - began


def signal_agent(number: int) -> None:
    for pid in Session.objects.filter(kind="service", ended=None).values_list("pid", flat=True):
        os.kill(pid, number)


def kill_agent(site_path: Path, environ: dict[str, str]) -> None:
    signal_agent(signal.SIGKILL)
    start_agent(site_path, environ)


def start_agent(site_path: Path, environ: dict[str, str]) -> None:
    def is_started() -> Finished | None:
        done = run_balsam("site", "start", cwd=site_path, env=environ)
        return done if done.returncode == 0 else None

    wait_until(is_started, 60, what="the start of the agent")


def count(*states: str) -> int:
    return BalsamJob.objects.filter(state__in=states).count()


def add_jobs(site: Site, far: Path) -> None:
    command = "test $(stat -c %s in.dat) = 100000 && sha256sum < in.dat > out.dat"
    app = App.objects.create(site_id=site.id, name="Digest", command_template=command, transfers=SLOTS)
    jobs = [
        Job(
            f"run/{number}",
            app.id,
            transfers={"data": f"far:{far}/in/{number}.dat", "result": f"far:{far}/out/{number}.sum"},
        )
        for number in range(COUNT)
    ]
    Job.objects.bulk_create(jobs)


def run_until(condition: Callable[[], object], site_path: Path, environ: dict[str, str]) -> None:
    """Run jobs with a launcher until a condition holds."""
    words = [script_path("balsam"), "launcher", "--consume-all", "--job-mode=serial"]
    launcher = subprocess.Popen(words, env={**os.environ, **environ}, cwd=site_path)
    try:
        wait_until(condition, 600)
    finally:
        launcher.terminate()
        launcher.wait(60)


@pytest.mark.skipif(shutil.which("rsync") is None, reason="no rsync: install it to run this")
def test_nothing_is_lost_or_done_before_its_data_is_whole(db, tmp_path, environ, site_path, sshd):
    far = tmp_path / "far"
    sums = make_files(far)
    start_agent(site_path, environ)
    log_in(environ)
    add_jobs(Site.objects.get("campaign"), far)

    for part in (0.1, 0.3, 0.6):
        wait_until(lambda part=part: count("PREPROCESSED", "FAILED") >= part * COUNT, 300)
        if part == 0.3:
            with sshd.paused():
                time.sleep(STOP_SEC)
        if part == 0.6:
            sshd.stop()
            sshd.start()
        kill_agent(site_path, environ)
    log_in(environ)
    run_balsam("transfer", "retry", "--site", "all", env=environ, cwd=site_path)
    wait_until(lambda: count("READY") == 0, 300, what="all data to come in")
    assert count("PREPROCESSED") == COUNT
    sshd.cut_connections()
    run_until(lambda: count("PREPROCESSED", "RUNNING", "RUN_DONE") == 0, site_path, environ)
    item = wait_until(lambda: list(TransferItem.objects.filter(state="inactive")[:1]), 120)[0]
    assert "balsam transfer login" in item.transfer_info["message"]
    told = Job.objects.get(id=item.job_id).explain()
    assert told.reason == "transfer_needs_you" and "balsam transfer login" in told.text
    log_in(environ)
    run_balsam("transfer", "retry", "--state", "inactive", env=environ, cwd=site_path)
    wait_until(lambda: count("JOB_FINISHED") == COUNT, 300)

    for number, expected in sums.items():
        assert (far / "out" / f"{number}.sum").read_text().split()[0] == expected
    starts = JobEvent.objects.filter(to_state=S.RUNNING).values_list("job_id", flat=True)
    assert len(starts) == len(set(starts)) == COUNT
    assert Row.objects.exclude(state="done").count() == 0


@pytest.mark.skipif("BALSAM_TEST_CAMPAIGN_JOBS" not in os.environ, reason="a measurement, made on purpose")
def test_rate_beside_one_rsync(db, tmp_path, environ, site_path, sshd, capsys, monkeypatch):
    monkeypatch.setenv("BALSAM_HOME", environ["BALSAM_HOME"])
    far = tmp_path / "far"
    make_files(far)
    start_agent(site_path, environ)
    log_in(environ)
    before = [seconds_of_one_rsync(far, tmp_path / f"before{n}", sshd) for n in range(3)]
    signal_agent(signal.SIGSTOP)
    add_jobs(Site.objects.get("campaign"), far)
    began = datetime.now(UTC)
    signal_agent(signal.SIGCONT)
    wait_until(lambda: count("READY") == 0, 300, pause_sec=0.5)
    after = [seconds_of_one_rsync(far, tmp_path / f"after{n}", sshd) for n in range(3)]
    ended = JobEvent.objects.filter(to_state="PREPROCESSED").order_by("-timestamp").first()
    took = (ended.timestamp - began).total_seconds()
    alone = statistics.median(before + after)
    times = ", ".join(f"{one:.2f}" for one in before + after)
    with capsys.disabled():
        print(f"\n{COUNT} files staged in {took:.2f} s, {alone / took:.2f} x one rsync -r ({times} s)")
    assert count("PREPROCESSED") == COUNT
