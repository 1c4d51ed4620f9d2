"""The fake batch systems as users see them: their own commands, and what becomes of batch jobs."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from balsam.selftest.fakes.mischief import KINDS
from balsam.selftest.fakes.schedulers import SCHEDULERS
from tests.integration.selftest.clusters import FakeCluster
from tests.waiting import wait_until

OWN_ID = {"slurm": "SLURM_JOB_ID", "pbs": "PBS_JOBID", "cobalt": "COBALT_JOBID", "lsf": "LSB_JOBID"}
QUEUES = {
    "default": {},
    "small": {"max_nodes": 1, "max_minutes": 10, "max_queued": 1},
    "shut": {"is_closed": 1},
}


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., FakeCluster]]:
    made: list[FakeCluster] = []

    def make_one(scheduler: str, **options: object) -> FakeCluster:
        made.append(FakeCluster(scheduler, tmp_path / scheduler, **options))
        return made[-1]

    yield make_one
    for cluster in made:
        cluster.stop()


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_script_runs_with_the_variables_of_the_batch_system(make: Callable[..., FakeCluster], scheduler: str):
    cluster = make(scheduler)
    answer = cluster.submit(f"echo ${OWN_ID[scheduler]} > id; exit 3", nodes=2)
    assert answer.returncode == 0, answer.stderr
    job = cluster.wait_state("ended")
    assert str(job.id) in answer.stdout
    assert (cluster.work / "id").read_text().strip().split(".")[0] == str(job.id)
    assert (job.end, job.exit_code) == ("failed", 3)
    assert job.submitted <= (job.started or 0) <= (job.ended or 0)


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_batch_job_is_listed_until_it_ends(make: Callable[..., FakeCluster], scheduler: str):
    cluster = make(scheduler)
    cluster.submit("while [ ! -e go ]; do sleep 0.02; done")
    number = str(cluster.wait_state("running").id)
    assert number in cluster.list().stdout
    (cluster.work / "go").touch()
    assert cluster.wait_state("ended").end == "completed"
    assert number not in cluster.list().stdout


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_wall_time_is_kept(make: Callable[..., FakeCluster], scheduler: str):
    cluster = make(scheduler, minute_sec=0.2)
    cluster.submit("trap 'touch told; exit 0' TERM; sleep 60 & wait", minutes=2)
    job = cluster.wait_state("ended")
    assert job.end == "timeout"
    assert (cluster.work / "told").exists()


def test_script_that_ignores_its_end_is_killed(make: Callable[..., FakeCluster]):
    cluster = make("slurm", minute_sec=0.2, grace_sec=0.3)
    cluster.submit("trap '' TERM; while :; do sleep 0.1; done", minutes=1)
    job = cluster.wait_state("ended")
    assert (job.end, job.exit_code) == ("timeout", -signal.SIGKILL)


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_cancelling_kills_everything_that_was_started(make: Callable[..., FakeCluster], scheduler: str):
    cluster = make(scheduler)
    cluster.submit("setsid bash -c 'trap \"\" TERM; echo $$ > pid; while :; do sleep 0.1; done' & wait")
    wait_until((cluster.work / "pid").exists)
    pid = int(wait_until((cluster.work / "pid").read_text))
    assert cluster.cancel(cluster.taken()[0]).returncode == 0
    assert cluster.wait_state("ended").end == "cancelled"
    wait_until(lambda: not Path(f"/proc/{pid}").exists() or "Z" in Path(f"/proc/{pid}/stat").read_text())


def test_batch_job_that_waits_is_cancelled_at_once(make: Callable[..., FakeCluster]):
    cluster = make("slurm", num_nodes=1)
    cluster.submit("sleep 60")
    cluster.submit("touch ran")
    cluster.cancel(cluster.taken()[1])
    assert cluster.taken()[1].end == "cancelled"
    assert not (cluster.work / "ran").exists()


def test_batch_jobs_wait_for_nodes_and_start_by_themselves(make: Callable[..., FakeCluster]):
    cluster = make("slurm", num_nodes=2)
    cluster.submit("while [ ! -e go ]; do sleep 0.02; done", nodes=2)
    cluster.submit("touch second")
    assert [job.state for job in cluster.taken()] == ["running", "queued"]
    (cluster.work / "go").touch()
    wait_until((cluster.work / "second").exists)


@pytest.mark.parametrize("scheduler", SCHEDULERS)
@pytest.mark.parametrize(
    "wish",
    [
        {"queue": "nonesuch"},
        {"queue": "shut"},
        {"project": "stranger"},
        {"nodes": 5},
        {"queue": "small", "nodes": 2},
        {"queue": "small", "minutes": 11},
    ],
    ids=str,
)
def test_what_exceeds_a_limit_is_refused(
    make: Callable[..., FakeCluster], scheduler: str, wish: dict[str, object]
):
    cluster = make(scheduler, queues=QUEUES, projects=["demo"])
    answer = cluster.submit(**wish)  # type: ignore[arg-type]
    assert answer.returncode != 0 and answer.stderr and not answer.stdout
    assert not cluster.taken()


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_no_more_than_a_queue_holds_are_taken(make: Callable[..., FakeCluster], scheduler: str):
    cluster = make(scheduler, queues=QUEUES)
    assert cluster.submit("sleep 60", queue="small").returncode == 0
    assert cluster.submit(queue="small").returncode != 0
    assert len(cluster.taken()) == 1


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_unknown_flags_are_refused(make: Callable[..., FakeCluster], scheduler: str):
    cluster = make(scheduler)
    for command in sorted(path.name for path in cluster.commands.iterdir() if path.name != "sacctmgr"):
        answer = cluster.call(f"{command} --no-such-flag x")
        assert answer.returncode != 0 and answer.stderr, command


def test_directives_of_the_script_count_below_flags(make: Callable[..., FakeCluster]):
    cluster = make("slurm")
    cluster.submit("true")
    script = cluster.work / "directed.sh"
    script.write_text("#!/bin/bash\n#SBATCH -N 3\n#SBATCH --time=7 # minutes\ntrue\n")
    assert cluster.call(f"sbatch -t 9 {script}").returncode == 0
    assert (cluster.taken()[1].num_nodes, cluster.taken()[1].minutes) == (3, 9)


def test_ids_differ_when_many_submit_at_once(make: Callable[..., FakeCluster]):
    cluster = make("slurm")
    script = cluster.work / "a.sh"
    script.write_text("#!/bin/bash\ntrue\n")
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: cluster.call(f"sbatch --parsable {script}"), range(24)))
    assert len({answer.stdout for answer in answers}) == 24
    wait_until(lambda: cluster.list() and all(job.end == "completed" for job in cluster.taken()))


def test_supervisor_that_is_killed_counts_as_a_lost_node(make: Callable[..., FakeCluster]):
    cluster = make("slurm")
    cluster.submit("echo $$ > pid; sleep 60")
    wait_until((cluster.work / "pid").exists)
    pid = int(wait_until((cluster.work / "pid").read_text))
    supervisor = cluster.taken()[0].supervisor
    assert supervisor is not None
    os.kill(supervisor, signal.SIGKILL)
    os.killpg(pid, signal.SIGKILL)

    def is_lost() -> bool:
        cluster.list()
        return cluster.taken()[0].end == "node_fail"

    wait_until(is_lost)


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"hang", "hang-after", "flood"}))
@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_each_mischief_leaves_the_account_whole(make: Callable[..., FakeCluster], scheduler: str, kind: str):
    cluster = make(scheduler)
    cluster.submit("sleep 60")
    wait_until(lambda: cluster.taken()[0].supervisor)
    cluster.misbehave(kind, times=2)
    cluster.submit("sleep 60")
    cluster.list()
    taken = [job for job in cluster.taken() if job.name == "job"]
    assert len(taken) == (1 if kind == "fail-before" else 2)


def test_command_that_hangs_has_done_what_the_mischief_says(make: Callable[..., FakeCluster]):
    cluster = make("slurm")
    for kind, count in (("hang", 0), ("hang-after", 1)):
        cluster.misbehave(kind, command="sbatch")
        script = cluster.work / "a.sh"
        script.write_text("#!/bin/bash\ntrue\n")
        with pytest.raises(subprocess.TimeoutExpired):
            cluster.call(f"sbatch {script}", timeout_sec=1.5)
        assert len(cluster.taken()) == count


def test_flood_is_a_listing_of_more_than_100000_lines(make: Callable[..., FakeCluster]):
    cluster = make("cobalt")
    cluster.misbehave("flood")
    assert len(cluster.list().stdout.splitlines()) == 100_002
