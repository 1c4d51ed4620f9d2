"""`balsam selftest`: the rehearsal of a batch system, and the commands around the fakes."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from balsam.selftest.fakes.schedulers import SCHEDULERS
from tests.commands import Finished
from tests.integration.selftest.clusters import FakeCluster
from tests.slurm.cluster import SlurmCluster
from tests.waiting import wait_until

Cli = Callable[..., Finished]
REHEARSE = ("selftest", "scheduler")
OPTIONS = ("--queue", "default", "--project", "demo")


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], FakeCluster]]:
    made: list[FakeCluster] = []

    def make_one(scheduler: str) -> FakeCluster:
        made.append(FakeCluster(scheduler, tmp_path / "fake"))
        monkeypatch.setenv("PATH", f"{made[-1].commands}:{os.environ['PATH']}")
        monkeypatch.chdir(made[-1].work)
        return made[-1]

    yield make_one
    for cluster in made:
        cluster.stop()


def assert_nothing_is_left(cluster: FakeCluster) -> None:
    assert all(job.state == "ended" or job.asked for job in cluster.taken())
    assert not list(cluster.work.glob("balsam-selftest-*"))


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_every_check_passes_and_nothing_is_left(
    make: Callable[[str], FakeCluster], balsam_cli: Cli, scheduler: str
):
    cluster = make(scheduler)
    done = balsam_cli(*REHEARSE, scheduler, *OPTIONS).check()
    assert "FAIL" not in done.stdout
    assert len(done.stdout.splitlines()) == 11
    assert len(cluster.taken()) == 2
    assert_nothing_is_left(cluster)


def test_every_check_passes_at_a_real_slurm(
    slurm: SlurmCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, balsam_cli: Cli
):
    monkeypatch.chdir(tmp_path)
    done = balsam_cli(*REHEARSE, "slurm", "--queue", "debug", env=slurm.env)
    assert done.returncode == 0 and "FAIL" not in done.stdout, done.output
    assert not slurm.run("squeue", "-h")


def test_every_check_passes_at_the_local_queue(tmp_path: Path, balsam_cli: Cli):
    done = balsam_cli(*REHEARSE, "local", cwd=tmp_path, env={"BALSAM_HOME": str(tmp_path / "home")}).check()
    assert "FAIL" not in done.stdout


@pytest.mark.parametrize(
    ("kind", "command", "check"),
    [
        ("garbage", "squeue", "The listing can be read"),
        ("fail-before", "sbatch", "A batch job is taken"),
        ("no-id", "sbatch", "A batch job is taken"),
        ("fail-after", "scancel", "A batch job is cancelled"),
    ],
)
def test_what_is_wrong_is_told_with_words_and_advice(
    make: Callable[[str], FakeCluster], balsam_cli: Cli, kind: str, command: str, check: str
):
    cluster = make("slurm")
    cluster.misbehave(kind, command=command)
    done = balsam_cli(*REHEARSE, "slurm", *OPTIONS)
    _, found, rest = done.stdout.partition(f"FAIL {check}: ")
    assert found, done.stdout
    words, advice = rest.splitlines()[:2]
    assert words and advice.startswith("     ")
    assert done.returncode == 1
    wait_until(lambda: cluster.list() and all(job.state == "ended" for job in cluster.taken()))
    assert_nothing_is_left(cluster)


def test_batch_job_that_never_starts_is_told_and_cancelled(
    make: Callable[[str], FakeCluster], balsam_cli: Cli
):
    cluster = make("slurm")
    cluster.submit("sleep 60", nodes=4)
    done = balsam_cli(*REHEARSE, "slurm", *OPTIONS, "--wait", 1)
    assert "FAIL It runs: " in done.stdout and "--wait" in done.stdout
    assert done.returncode == 1
    assert [job.end for job in cluster.taken()[1:]] == ["cancelled"] * 2


def test_rehearsal_needs_no_batch_system(tmp_path: Path, balsam_cli: Cli):
    done = balsam_cli(*REHEARSE, "cobalt", "--fake", cwd=tmp_path).check()
    assert "OK   Nothing is left behind" in done.stdout
    assert not list(tmp_path.iterdir())


def test_fake_is_made_used_spoilt_and_looked_into(tmp_path: Path, balsam_cli: Cli):
    directory = tmp_path / "fake"
    made = balsam_cli("selftest", "fake", "slurm", directory, "--queue", "a:max-nodes=2,closed").check()
    assert made.stdout == f'export PATH={directory}/bin:"$PATH"\n'
    kinds = balsam_cli("selftest", "misbehave", directory, "list").check().stdout
    assert "fail-after" in kinds
    balsam_cli("selftest", "misbehave", directory, "fail-after", "--times", 3).check()
    balsam_cli("selftest", "misbehave", directory, "none").check()
    rows = balsam_cli("selftest", "jobs", directory, "-o", "json").check()
    assert json.loads(rows.stdout)["rows"] == []


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (("fake", "moab", "x"), 2, "slurm, pbs, cobalt, lsf"),
        (("fake", "slurm", "."), 7, "not empty"),
        (("fake", "slurm", "x", "--queue", "a:max-cows=2"), 2, "max-nodes=N"),
        (("misbehave", ".", "list"), 2, "balsam selftest fake"),
        (("jobs", "nowhere"), 2, "balsam selftest fake"),
        (("scheduler", "moab"), 2, "moab"),
    ],
)
def test_mistakes_are_told_with_what_to_type(
    tmp_path: Path, balsam_cli: Cli, words: tuple[str, ...], code: int, text: str
):
    (tmp_path / "file").touch()
    done = balsam_cli("selftest", *words, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (code, "")
    assert text in done.stderr


def test_no_such_mischief(tmp_path: Path, balsam_cli: Cli):
    balsam_cli("selftest", "fake", "pbs", tmp_path / "fake").check()
    done = balsam_cli("selftest", "misbehave", tmp_path / "fake", "dance")
    assert done.returncode == 2 and "DIR list" in done.stderr
