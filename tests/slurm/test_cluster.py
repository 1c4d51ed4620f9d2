"""The real Slurm that tests use: its nodes, its partitions, its accounting, and its end."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.slurm.cluster import SlurmCluster, why_no_slurm
from tests.slurm.marked import MARK, marked_pids
from tests.waiting import wait_until

STARTER = """
import sys
from pathlib import Path
from tests.slurm.cluster import ClusterShape, SlurmCluster
cluster = SlurmCluster(Path(sys.argv[1]), ClusterShape(num_nodes=1), with_accounting=False)
cluster.start()
print("up", flush=True)
sys.stdin.read()
"""


def test_a_step_runs_on_every_node(slurm: SlurmCluster):
    names = slurm.run("srun", "--nodes=4", "sh", "-c", "echo $SLURMD_NODENAME").split()
    assert sorted(names) == ["n1", "n2", "n3", "n4"]


def test_a_script_is_queued_and_completes(slurm: SlurmCluster, tmp_path: Path):
    script = tmp_path / "job.sh"
    script.write_text("#!/bin/sh\necho $SLURM_JOB_NODELIST\n")
    job_id = slurm.submit(script, "--nodes=2", f"--output={tmp_path}/out")
    wait_until(lambda: slurm.state(job_id) == "COMPLETED")
    assert (tmp_path / "out").read_text() == "n[1-2]\n"


def test_a_job_in_the_closed_partition_stays_pending(slurm: SlurmCluster, tmp_path: Path):
    script = tmp_path / "job.sh"
    script.write_text("#!/bin/sh\n")
    job_id = slurm.submit(script, "--partition=closed")
    wait_until(lambda: "PartitionDown" in slurm.run("squeue", "-h", "-j", job_id, "-o", "%r"))


def test_accounting_knows_a_job_that_has_ended(slurm: SlurmCluster):
    if not slurm.has_accounting:
        pytest.skip("slurmdbd or mariadb-server is not installed")
    slurm.run("srun", "--job-name=counted", "true")
    wait_until(
        lambda: "counted|COMPLETED" in slurm.run("sacct", "-n", "-P", "-X", "-o", "jobname,state"),
        what="sacct",
    )


def test_a_killed_node_loses_what_it_runs_and_comes_back(slurm: SlurmCluster, tmp_path: Path):
    script = tmp_path / "job.sh"
    script.write_text("#!/bin/sh\ntouch started\nsleep 600\n")
    job_id = slurm.submit(script, "--nodelist=n3", f"--chdir={tmp_path}", "--output=out")
    wait_until((tmp_path / "started").exists)
    assert marked_pids("SLURMD_NODENAME=n3", f"SLURM_JOB_ID={job_id}")
    slurm.kill_node("n3")
    assert not marked_pids("SLURMD_NODENAME=n3", f"SLURM_JOB_ID={job_id}")
    slurm.reset()
    assert slurm.run("srun", "--nodelist=n3", "sh", "-c", "echo $SLURMD_NODENAME") == "n3\n"


def test_a_cluster_ends_with_the_process_that_started_it(tmp_path: Path):
    if reason := why_no_slurm():
        pytest.skip(reason)
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert starter.stdout is not None
    assert starter.stdout.readline() == b"up\n"
    assert marked_pids(f"{MARK}={tmp_path}")
    starter.send_signal(signal.SIGKILL)
    starter.communicate()
    wait_until(lambda: not marked_pids(f"{MARK}={tmp_path}"))
