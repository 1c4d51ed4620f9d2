"""Mpi mode on the four nodes of a real Slurm: parallel jobs of all sizes beside serial ones."""

import json
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from balsam.core.models import ApplicationDefinition, BalsamJob
from tests.launching import script
from tests.slurm.batch import job_states, submit_launcher
from tests.slurm.cluster import SlurmCluster
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("db")

#: Rank 0 writes how many ranks there are, and on which node each is. Hydra gives its ranks the environment of
#: the node where it was started; that of its proxy, the parent of a rank, is the node's own.
HELLO = f"""#!{sys.executable}
import json, os, sys
from mpi4py import MPI
parent = open(f"/proc/{{os.getppid()}}/environ").read().split("\\0")
node = dict(part.partition("=")[::2] for part in parent).get("SLURMD_NODENAME")
world = MPI.COMM_WORLD
nodes = world.gather(node or os.environ["SLURMD_NODENAME"], root=0)
if world.rank == 0:
    with open(sys.argv[1], "a") as file:
        file.write(json.dumps({{"size": world.size, "nodes": nodes}}) + "\\n")
"""


@dataclass(frozen=True)
class Kind:
    """Jobs of one size."""

    name: str
    count: int
    num_nodes: int = 1
    ranks_per_node: int = 1


def add_jobs(directory: Path, kinds: list[Kind]) -> Path:
    """Save jobs; each writes to a file of its name in the directory returned."""
    traces = directory / "traces"
    traces.mkdir()
    ApplicationDefinition.objects.create(name="hello", executable=str(script(directory, "hello.py", HELLO)))
    for kind in kinds:
        BalsamJob.objects.bulk_create(
            BalsamJob(
                name=f"{kind.name}{number}",
                workflow="w",
                application="hello",
                args=str(traces / f"{kind.name}{number}"),
                num_nodes=kind.num_nodes,
                ranks_per_node=kind.ranks_per_node,
                node_packing_count=1 if kind.num_nodes > 1 else 4 // kind.ranks_per_node,
            )
            for number in range(kind.count)
        )
    return traces


def nodes_used(traces: Path, kind: Kind) -> set[str]:
    """Assert that each job has run once, with the same number of ranks on each of so many nodes."""
    used = set()
    for number in range(kind.count):
        [line] = (traces / f"{kind.name}{number}").read_text().splitlines()
        told = json.loads(line)
        assert told["size"] == kind.num_nodes * kind.ranks_per_node
        per_node = Counter(told["nodes"])
        assert len(per_node) == kind.num_nodes, told
        assert set(per_node.values()) == {kind.ranks_per_node}, told
        used |= per_node.keys()
    return used


@pytest.mark.parametrize("mpirun", ["MPICHCommand", "SlurmMPICommand"])
def test_parallel_jobs_of_all_sizes_run_beside_each_other(
    mpirun: str, slurm: SlurmCluster, tmp_path: Path
) -> None:
    kinds = [Kind("four", 20, ranks_per_node=4), Kind("wide", 5, 2, 2), Kind("serial", 10)]
    traces = add_jobs(tmp_path, kinds)
    home = tmp_path / "settings"
    home.mkdir()
    (home / "settings.json").write_text(json.dumps({"MPI_RUN_TEMPLATE": mpirun}))
    head = f"export BALSAM_HOME={home}"
    printed = submit_launcher(slurm, tmp_path, "--job-mode=mpi", head=head).finish()
    assert "35 jobs finished, 0 failed" in printed, printed
    assert job_states() == {"JOB_FINISHED": 35}
    four, wide, serial = (nodes_used(traces, kind) for kind in kinds)
    assert four == {"n1", "n2", "n3", "n4"} >= wide | serial


def test_parallel_jobs_of_a_node_that_dies_are_run_on_the_others(slurm: SlurmCluster, tmp_path: Path) -> None:
    hold = f"#!/bin/sh\n[ $PMI_RANK -gt 0 ] || echo begin >> {tmp_path}/$1\nsleep 1\n"
    ApplicationDefinition.objects.create(name="hold", executable=str(script(tmp_path, "hold.sh", hold)))
    for number in range(6):
        BalsamJob(name=f"j{number}", workflow="w", application="hold", args=f"{number}", num_nodes=2).save()
    settings = tmp_path / "settings"
    settings.mkdir()
    (settings / "settings.json").write_text('{"MPI_RUN_TEMPLATE": "MPICHCommand"}')
    head = f"export BALSAM_HOME={settings}"
    running = submit_launcher(slurm, tmp_path, "--job-mode=mpi", head=head, flags=("--no-kill",))
    wait_until(lambda: all((tmp_path / f"{number}").exists() for number in range(2)))
    slurm.kill_node("n4")
    wait_until(lambda: "6 jobs finished, 0 failed" in running.text(), 60, what="end of the launcher")
    assert "Given up, since nothing could be run there: n4" in running.text()
    assert job_states() == {"JOB_FINISHED": 6}
    attempts = sorted(job.attempt for job in BalsamJob.objects.all())
    assert attempts == [1, 1, 1, 1, 1, 2], "one job was lost, and run again"


@pytest.mark.parametrize("mpirun", ["MPICHCommand", "SlurmMPICommand"])
def test_cancelled_launcher_times_parallel_jobs_out_and_the_next_one_finishes_them(
    mpirun: str, slurm: SlurmCluster, tmp_path: Path
) -> None:
    hold = f"#!/bin/sh\n[ -e {tmp_path}/go ] && exit\ntouch {tmp_path}/$1.$$\nexec sleep 300\n"
    ApplicationDefinition.objects.create(name="hold", executable=str(script(tmp_path, "hold.sh", hold)))
    for name, ranks in (("a", 2), ("b", 1)):
        BalsamJob(
            name=name, workflow="w", application="hold", args=name, num_nodes=2, ranks_per_node=ranks
        ).save()
    settings = tmp_path / "settings"
    settings.mkdir()
    (settings / "settings.json").write_text(json.dumps({"MPI_RUN_TEMPLATE": mpirun}))
    head = f"export BALSAM_HOME={settings}"
    first = submit_launcher(slurm, tmp_path, "--job-mode=mpi", head=head)
    wait_until(lambda: len(list(tmp_path.glob("?.*[0-9]"))) == 6, what="start of all ranks")
    slurm.run("scancel", first.job_id)
    assert first.wait() == "CANCELLED"
    assert all("RUN_TIMEOUT" in job.state_history for job in BalsamJob.objects.all()), first.text()
    (tmp_path / "go").touch()
    submit_launcher(slurm, tmp_path, "--job-mode=mpi", head=head).finish()
    assert job_states() == {"JOB_FINISHED": 2}
