"""`balsam service` on the four nodes of a real Slurm: what it submits, and what it survives."""

import os
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from balsam.core.models import ApplicationDefinition, BalsamJob, QueuedLaunch
from tests.commands import run_balsam
from tests.launching import lines, script
from tests.services import ServiceHome, policy_section
from tests.slurm.batch import job_states
from tests.slurm.cluster import SlurmCluster
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("db")

PATIENCE_SEC = 180
#: Writes that it begins and that it ends; the first run of a job waits to be stopped.
HOLDING = "echo begin >> $1; [ $(wc -l < $1) -gt 1 ] || exec sleep 300; echo end >> $1"
#: The same, but goes on when a file is there.
GATED = "echo begin >> $1; while [ ! -e $2 ]; do sleep 0.1; done; echo end >> $1"


@pytest.fixture
def home(slurm: SlurmCluster, tmp_path: Path) -> ServiceHome:
    """A user of this Slurm."""
    return ServiceHome(tmp_path / "home", slurm.env)


def configure(home: ServiceHome, *sections: str) -> None:
    home.configure(*sections, SCHEDULER_CLASS="slurm", MPI_RUN_TEMPLATE="auto", LOG_HANDLER_LEVEL="DEBUG")


def add_jobs(directory: Path, count: int, text: str, *args: object, **fields: object) -> list[Path]:
    """Save jobs that run a shell script; its first argument is a file of the job's own, which is returned."""
    number = ApplicationDefinition.objects.count()
    program = script(directory, f"work{number}.sh", f"#!/bin/sh\n{text}\n")
    app = ApplicationDefinition.objects.create(name=f"work{number}", executable=str(program))
    traces = [directory / f"trace{number}.{n}" for n in range(count)]
    BalsamJob.objects.bulk_create(
        BalsamJob(
            name=trace.name,
            workflow="w",
            application=app.name,
            args=" ".join(map(str, [trace, *args])),
            **fields,
        )
        for trace in traces
    )
    return traces


@contextmanager
def sampled(slurm: SlurmCluster) -> Iterator[Counter[tuple[str, int]]]:
    """Count, over and over, the batch jobs in each partition: how often each number was seen."""
    seen: Counter[tuple[str, int]] = Counter()
    done = threading.Event()

    def sample() -> None:
        while not done.wait(0.1):
            partitions = slurm.run("squeue", "-h", "-t", "PENDING,RUNNING", "-o", "%P").split()
            seen.update(Counter(partitions).items())

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield seen
    finally:
        done.set()
        thread.join()


def in_long(slurm: SlurmCluster) -> set[str]:
    """Return the ids of batch jobs in the partition `long`, ended ones too."""
    return set(slurm.run("squeue", "-h", "-p", "long", "-t", "all", "-o", "%i").split())


def wait_for_all(count: int) -> None:
    wait_until(lambda: job_states() == {"JOB_FINISHED": count}, PATIENCE_SEC, what="end of all jobs")


def test_nothing_goes_into_a_closed_queue_and_no_more_than_allowed_into_an_open_one(
    slurm: SlurmCluster, home: ServiceHome, tmp_path: Path
):
    configure(
        home,
        policy_section("debug", (1, 1, 0, 0.5), queued=2),
        policy_section("long", (1, 4, 0, 24), submit="off", queued=20),
    )
    # Each is expected to need most of a launch of one node, so there is work for ten launches.
    add_jobs(tmp_path, 10, "sleep 1", wall_time_minutes=25)
    before = in_long(slurm)  # ended ones of other tests are listed for a while
    with sampled(slurm) as seen, home.service():
        wait_for_all(10)
        status = wait_until(
            lambda: s if (s := home.status())["waits_for"].startswith("jobs: none") else None,
            PATIENCE_SEC,
            what="an idle service",
        )
    assert {partition for partition, _ in seen} == {"debug"}
    assert max(number for _, number in seen) == 2
    assert {row["queue"]: row["submit_jobs"] for row in status["queues"]} == {
        "debug": "open",
        "long": "closed",
    }
    assert set(QueuedLaunch.objects.values_list("queue", "nodes", "wall_minutes", "job_mode")) == {
        ("debug", 1, 30, "serial")
    }
    assert in_long(slurm) <= before


def test_queue_that_is_opened_while_the_service_runs_is_used(
    slurm: SlurmCluster, home: ServiceHome, tmp_path: Path
):
    configure(home, policy_section("debug", submit="off"), policy_section("long", submit="off"))
    add_jobs(tmp_path, 4, "sleep 0.1")
    with sampled(slurm) as seen, home.service():
        wait_until(lambda: "no queue is open" in str(home.status()["unfit"]), what="word of closed queues")
        home.set_policy(policy_section("debug", submit="perhaps"))
        wait_until(lambda: "line 2" in home.status()["policy_problem"], what="word of the bad policy")
        assert not seen
        home.set_policy(policy_section("debug", submit="off"), policy_section("long"))
        wait_for_all(4)
    assert {partition for partition, _ in seen} == {"long"}


def test_cancelled_launch_is_followed_by_another_and_everything_finishes(
    slurm: SlurmCluster, home: ServiceHome, tmp_path: Path
):
    configure(home, policy_section("debug", (1, 2, 0, 0.5)))
    traces = add_jobs(tmp_path, 8, HOLDING, node_packing_count=4)
    with sampled(slurm) as seen, home.service():
        wait_until(lambda: all(map(lines, traces)), PATIENCE_SEC, what="start of all jobs")
        slurm.run("scancel", *slurm.run("squeue", "-h", "-o", "%i").split())
        wait_for_all(8)
    assert all("RUN_TIMEOUT" in job.state_history for job in BalsamJob.objects.all())
    assert {lines(trace)[-1] for trace in traces} == {"end"}
    first = QueuedLaunch.objects.order_by("pk").first()
    assert first is not None and first.end == "cancelled"
    assert max(number for _, number in seen) == 1


def test_parallel_and_serial_jobs_with_parents_run_without_a_hand(
    slurm: SlurmCluster, home: ServiceHome, tmp_path: Path
):
    configure(home, policy_section("debug", (1, 4, 0, 0.5)))
    add_jobs(tmp_path, 2, "echo $SLURMD_NODENAME >> $1", num_nodes=2, ranks_per_node=1)
    wide = [*BalsamJob.objects.all()]
    add_jobs(tmp_path, 6, "echo $SLURMD_NODENAME >> $1")
    for job in BalsamJob.objects.filter(num_nodes=1):
        job.set_parents(wide)
    with home.service():
        wait_for_all(8)
    assert "mpi" in QueuedLaunch.objects.values_list("job_mode", flat=True)


def test_service_and_launches_outlast_a_restart_of_the_database(
    slurm: SlurmCluster, home: ServiceHome, tmp_path: Path
):
    configure(home, policy_section("debug", (1, 2, 0, 0.5)))
    gate = tmp_path / "gate"
    traces = add_jobs(tmp_path, 4, GATED, gate, node_packing_count=4)
    with sampled(slurm) as seen, home.service():
        wait_until(lambda: all(map(lines, traces)), PATIENCE_SEC, what="start of all jobs")
        run_balsam("server", "--reset").check()
        gate.touch()
        wait_for_all(4)
        add_jobs(tmp_path, 4, "sleep 0.1")
        wait_for_all(8)
    assert max(number for _, number in seen) == 1
    assert {len(lines(trace)) for trace in traces} == {2}, "each ran once"


def test_silence_of_the_controller_ends_nothing(slurm: SlurmCluster, home: ServiceHome, tmp_path: Path):
    configure(home, policy_section("debug", (1, 2, 0, 0.5)))
    gate = tmp_path / "gate"
    traces = add_jobs(tmp_path, 4, GATED, gate, node_packing_count=4)
    with home.service():
        wait_until(lambda: all(map(lines, traces)), PATIENCE_SEC, what="start of all jobs")
        stop_controller(slurm)
        try:
            wait_until(
                lambda: scheduler_loop(home)["failures"] > 0, PATIENCE_SEC, what="a failure that is told"
            )
            assert QueuedLaunch.objects.get().ended is None
            gate.touch()
            wait_for_all(4)
            add_jobs(tmp_path, 4, "sleep 0.1")
        finally:
            subprocess.run(["slurmctld"], env={**os.environ, **slurm.env}, check=True)
        wait_for_all(8)
        wait_until(
            lambda: not scheduler_loop(home)["failures_in_a_row"], PATIENCE_SEC, what="a cycle that is fine"
        )
    assert {len(lines(trace)) for trace in traces} == {2}, "each ran once"


def scheduler_loop(home: ServiceHome) -> dict[str, int]:
    (found,) = [loop for loop in home.status()["loops"] if loop["name"] == "scheduler"]
    return dict(found)


def stop_controller(slurm: SlurmCluster) -> None:
    pid = int((slurm.base / "pids" / "slurmctld").read_text())
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: not Path(f"/proc/{pid}").exists(), what="end of slurmctld")
