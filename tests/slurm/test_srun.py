"""The words of the srun adapters, as a real Slurm takes them."""

import os
import shlex
from pathlib import Path
from typing import Any

import pytest

from balsam.launcher.mpi_commands import MpiCommands
from balsam.launcher.placement import Placement
from balsam.schemas.jobs import JobSpec
from tests.slurm.cluster import SlurmCluster

#: In one write for each rank.
SHOW = 'echo "$SLURMD_NODENAME $SLURM_LOCALID $ROCR_VISIBLE_DEVICES $GIVEN"'


def ranks(slurm: SlurmCluster, directory: Path, kind: str, nodes: str, **fields: Any) -> list[str]:
    """Start a job's ranks by srun in an allocation of all nodes; return what each says."""
    names = tuple(nodes.split())
    cpus: tuple[int, ...] = fields.pop("cpus", (0,))
    gpus: tuple[str, ...] = fields.pop("gpus", ())
    environ = {"GIVEN": "a b", **fields.pop("environ", {})}
    mpi = MpiCommands(f"{kind}=srun", this_host="", is_root=True, gpu_kind="rocm", environ={})
    spec = JobSpec(
        job_id="1",
        name="j",
        attempt=1,
        command="",
        workdir="/",
        num_nodes=len(names),
        environ=environ,
        **fields,
    )
    placement = Placement(names, (cpus,) * len(names), (gpus,) * len(names), 1)
    start = mpi.start_of(["/bin/sh", "-c", SHOW], spec, placement)
    script, output = directory / "job.sh", directory / "job.out"
    exports = [f"export {name}={shlex.quote(value)}" for name, value in start.environ.items()]
    script.write_text("\n".join(["#!/bin/bash", *exports, shlex.join(start.argv)]) + "\n")
    options = ("--wait", "--nodes=4", "--exclusive", f"--output={output}")
    try:
        slurm.submit(script, *options)
    except AssertionError as error:
        raise AssertionError(f"{shlex.join(start.argv)}\n{output.read_text()}") from error
    return sorted(output.read_text().splitlines())


@pytest.mark.parametrize("kind", ["slurm", "perlmutter"])
def test_ranks_run_where_they_are_placed(slurm: SlurmCluster, tmp_path: Path, kind: str) -> None:
    said = ranks(slurm, tmp_path, kind, "n2 n4", ranks_per_node=2, cpus=(0, 1))
    assert said == ["n2 0  a b", "n2 1  a b", "n4 0  a b", "n4 1  a b"]


def test_ranks_may_be_more_than_the_cpus_of_a_node(slurm: SlurmCluster, tmp_path: Path) -> None:
    said = ranks(slurm, tmp_path, "slurm", "n3", ranks_per_node=9, cpus=(0, 1, 2, 3))
    assert said == [f"n3 {rank}  a b" for rank in range(9)]


def test_ranks_of_several_threads_have_their_cpus_counted(slurm: SlurmCluster, tmp_path: Path) -> None:
    said = ranks(slurm, tmp_path, "slurm", "n1 n2", ranks_per_node=2, threads_per_rank=2, cpus=(0, 1, 2, 3))
    assert [line.split()[0] for line in said] == ["n1", "n1", "n2", "n2"]


def test_ranks_may_be_bound(slurm: SlurmCluster, tmp_path: Path) -> None:
    cpus = tuple(sorted(os.sched_getaffinity(0)))[:1]
    said = ranks(slurm, tmp_path, "slurm", "n1", cpu_affinity="depth", cpus=cpus)
    # this Slurm binds nothing, and says so; another would refuse CPUs that the node has not
    assert [line for line in said if not line.startswith("srun: cluster configuration lacks")] == [
        "n1 0  a b"
    ]


def test_ranks_see_the_gpus_of_their_job(slurm: SlurmCluster, tmp_path: Path) -> None:
    said = ranks(slurm, tmp_path, "slurm", "n1 n2", gpus=("3", "2"))
    assert said == ["n1 0 3,2 a b", "n2 0 3,2 a b"]


def test_ranks_see_their_own_gpus_where_that_is_asked_for(slurm: SlurmCluster, tmp_path: Path) -> None:
    environ = {"BALSAM_GPUS_PER_RANK": "1"}
    said = ranks(
        slurm, tmp_path, "slurm", "n1 n2", ranks_per_node=2, cpus=(0, 1), gpus=("3", "2"), environ=environ
    )
    assert said == ["n1 0 3 a b", "n1 1 2 a b", "n2 0 3 a b", "n2 1 2 a b"]
