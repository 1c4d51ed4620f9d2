"""Ranks that a real MPI launcher starts see their own GPUs and CPUs."""

import os
import shlex
import socket
import subprocess
import sys
from typing import Any

import pytest

from balsam.launcher.mpi_commands import MpiCommands
from balsam.launcher.placement import Placement
from balsam.platform.mpirun import detect
from balsam.schemas.jobs import JobSpec

#: In one write, as those of several ranks may be mixed.
SHOW = """
import os
rank = os.environ.get("PMI_RANK") or os.environ["OMPI_COMM_WORLD_RANK"]
cpus = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else ""
os.write(1, f"{rank} {os.environ['ZE_AFFINITY_MASK']} {cpus}\\n".encode())
"""


def ranks(num_ranks: int, gpus: tuple[str, ...], cpus: tuple[int, ...] = (0,), **more: Any) -> list[str]:
    """Start a job of ``num_ranks`` on this host, and return what each rank says."""
    found = detect()
    if not found:
        pytest.skip("no MPI is installed")
    here = socket.gethostname()
    mpi = MpiCommands(found, this_host=here, is_root=os.geteuid() == 0, gpu_kind="level-zero")
    environ = {"BALSAM_GPUS_PER_RANK": "1"}
    spec = JobSpec(
        job_id="1",
        name="j",
        attempt=1,
        command="",
        workdir="/",
        ranks_per_node=num_ranks,
        environ=environ,
        **more,
    )
    start = mpi.start_of([sys.executable, "-c", SHOW], spec, Placement((here,), (cpus,), (gpus,), 1))
    done = subprocess.run(
        start.argv,
        env={**os.environ, **start.environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, f"{shlex.join(start.argv)}\n{done.stdout}{done.stderr}"
    return sorted(done.stdout.splitlines())


def test_each_rank_sees_its_own_tiles() -> None:
    said = ranks(4, ("0.0", "0.1", "1.0", "1.1"))
    assert [line.split()[:2] for line in said] == [["0", "0.0"], ["1", "0.1"], ["2", "1.0"], ["3", "1.1"]]


def test_ranks_share_where_they_are_more_than_gpus() -> None:
    assert [line.split()[1] for line in ranks(4, ("3", "2"))] == ["3", "3", "2", "2"]


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="no CPU affinity here")
def test_each_rank_is_bound_to_its_own_cpus() -> None:
    cpus = tuple(sorted(os.sched_getaffinity(0), reverse=True)[:2])
    if len(cpus) < 2:
        pytest.skip("this process may use a single CPU")
    if not detect().startswith("mpich"):
        pytest.skip("ranks are bound one by one by MPICH only")
    said = ranks(2, ("0", "1"), cpus, cpu_affinity="depth")
    assert said == [f"0 0 [{cpus[0]}]", f"1 1 [{cpus[1]}]"]
