"""Serial mode on the four nodes of a real Slurm: many jobs, a cancelled batch job, a node that dies."""

from collections import Counter
from pathlib import Path

import pytest

from balsam.core.models import ApplicationDefinition, BalsamJob, Session
from tests.launching import lines, script
from tests.slurm.batch import job_states, submit_launcher
from tests.slurm.cluster import SlurmCluster
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("db")


def add_jobs(directory: Path, count: int, text: str, **fields: object) -> Path:
    """Save jobs that run a shell script whose first argument is a file of the directory returned."""
    traces = directory / "traces"
    traces.mkdir(exist_ok=True)
    program = script(directory, "work.sh", f"#!/bin/sh\n{text}\n")
    ApplicationDefinition.objects.create(name="work", executable=str(program))
    BalsamJob.objects.bulk_create(
        BalsamJob(name=f"j{n}", workflow="w", application="work", args=f"{traces}/{n}", **fields)
        for n in range(count)
    )
    return traces


def traces_of(directory: Path, count: int) -> list[list[str]]:
    """What each job has written."""
    return [lines(directory / str(n)) for n in range(count)]


def test_two_thousand_jobs_run_once_each_on_all_nodes_of_one_allocation(
    slurm: SlurmCluster, tmp_path: Path
) -> None:
    count = 2000
    traces = add_jobs(tmp_path, count, "echo $SLURMD_NODENAME >> $1", node_packing_count=16)
    printed = submit_launcher(slurm, tmp_path, "--job-mode=serial").finish()
    assert f"{count} jobs finished, 0 failed" in printed
    assert job_states() == {"JOB_FINISHED": count}
    written = traces_of(traces, count)
    assert {len(of_job) for of_job in written} == {1}
    nodes = Counter(of_job[0] for of_job in written)
    assert sorted(nodes) == ["n1", "n2", "n3", "n4"]


#: The first run of a job waits to be stopped, the second one ends.
HOLDING = "if [ -e $1 ]; then echo end >> $1; else echo begin > $1; exec sleep 300; fi"


def test_two_launchers_share_an_allocation_by_slices(slurm: SlurmCluster, tmp_path: Path) -> None:
    count = 40
    traces = add_jobs(tmp_path, count, "echo $SLURMD_NODENAME >> $1; sleep 0.05", node_packing_count=2)
    slices = ["--limit-nodes=1", "--limit-nodes=2 --offset-nodes=2"]
    printed = submit_launcher(slurm, tmp_path, *(f"--job-mode=serial {part}" for part in slices)).finish()
    assert printed.count("0 failed") == 2
    assert Counter(len(of_job) for of_job in traces_of(traces, count)) == {1: count}
    assert {of_job[0] for of_job in traces_of(traces, count)} == {"n1", "n3", "n4"}


def test_cancelled_launcher_times_its_jobs_out_and_the_next_one_finishes_them(
    slurm: SlurmCluster, tmp_path: Path
) -> None:
    count = 8
    traces = add_jobs(tmp_path, count, HOLDING, node_packing_count=2)
    first = submit_launcher(slurm, tmp_path, "--job-mode=serial")
    wait_until(lambda: all(traces_of(traces, count)), what="start of all jobs")
    slurm.run("scancel", first.job_id)
    assert first.wait() == "CANCELLED"
    assert f"{count} running jobs" in first.text()
    assert all("RUN_TIMEOUT" in job.state_history for job in BalsamJob.objects.all())
    submit_launcher(slurm, tmp_path, "--job-mode=serial").finish()
    assert job_states() == {"JOB_FINISHED": count}
    assert traces_of(traces, count) == [["begin", "end"]] * count


def test_jobs_of_a_node_that_dies_are_run_on_the_others(slurm: SlurmCluster, tmp_path: Path) -> None:
    count = 8
    text = "echo $SLURMD_NODENAME >> $1; [ $SLURMD_NODENAME != n3 ] && sleep 0.3 || exec sleep 300"
    traces = add_jobs(tmp_path, count, text, node_packing_count=1)
    running = submit_launcher(slurm, tmp_path, "--job-mode=serial", flags=("--no-kill",))
    wait_until(lambda: ["n3"] in traces_of(traces, count), what="a job on n3")
    slurm.kill_node("n3")
    wait_until(lambda: f"{count} jobs finished, 0 failed" in running.text(), what="end of the launcher")
    again = [of_job for of_job in traces_of(traces, count) if len(of_job) > 1]
    assert [of_job[0] for of_job in again] == ["n3"], "one job was lost, and run again elsewhere"
    assert again[0][1] != "n3"


def test_launcher_takes_its_time_from_the_batch_job(slurm: SlurmCluster, db: Path, tmp_path: Path) -> None:
    add_jobs(tmp_path, 2, "true")
    BalsamJob.objects.filter(name="j1").update(wall_time_minutes=30)
    running = submit_launcher(slurm, tmp_path, "-j serial", nodes=1, flags=("--time=10",))
    assert "1 job may run longer than the time that was left" in running.finish()
    assert job_states() == {"JOB_FINISHED": 1, "PREPROCESSED": 1}
    logs = sorted((db / "log").glob("launcher_*.log"), key=lambda path: path.stat().st_mtime)
    assert f"min, by batch job {running.job_id} of slurm" in logs[-1].read_text()
    assert Session.objects.get(kind="launcher").scheduler_id == running.job_id
