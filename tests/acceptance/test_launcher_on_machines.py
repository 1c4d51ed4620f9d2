"""Launchers in allocations of known machines; stand-ins for their MPI launchers run here what they get."""

import json
import os
import socket
import sys
from pathlib import Path

import pytest

from balsam.core.models import BalsamJob
from tests.jobs import add_app, add_jobs
from tests.launching import run_launcher, script

pytestmark = pytest.mark.usefixtures("db")

#: Writes down its options, and runs the command behind them once, whatever they say of ranks and nodes.
STAND_IN = """#!/bin/bash
[ "$1" != --version ] || exit 0
options=()
while [ $# -gt 0 ] && [ "$1" != {app} ] && [ "$1" != {python} ]; do options+=("$1"); shift; done
echo "${{options[*]}}" >> {log}
exec "$@"
"""
#: Ends when so many run.
ALL_AT_ONCE = """#!/bin/sh
touch {here}/$BALSAM_JOB_ID
until [ "$(ls {here} | wc -l)" -ge {count} ]; do sleep 0.05; done
echo "$ZE_AFFINITY_MASK"
"""


class OnMachine:
    """An allocation of two nodes, and what was asked of the MPI launcher there."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.app = script(directory, "app", '#!/bin/sh\necho "$CUDA_VISIBLE_DEVICES$ZE_AFFINITY_MASK"\n')
        self._directory = directory
        self._monkeypatch = monkeypatch
        self._log = directory / "launches"

    def enter(self, machine: str, command: str, **environ: str) -> None:
        """Be in a batch job of that machine, whose MPI launcher is ``command``."""
        home, bin_dir = self._directory / "home", self._directory / "bin"
        for directory in (home, bin_dir):
            directory.mkdir()
        (home / "settings.json").write_text(json.dumps({"MACHINE": machine}))
        stand_in = STAND_IN.format(app=self.app, python=sys.executable, log=self._log)
        script(bin_dir, command, stand_in)
        for name in (
            "SLURM_JOB_ID",
            "SLURM_JOB_NODELIST",
            "PBS_NODEFILE",
            "COBALT_NODEFILE",
            "CUDA_VISIBLE_DEVICES",
        ):
            self._monkeypatch.delenv(name, raising=False)
        path = f"{bin_dir}{os.pathsep}{os.environ['PATH']}"
        for name, value in {"BALSAM_HOME": str(home), "PATH": path, **environ}.items():
            self._monkeypatch.setenv(name, value)

    def node_file(self, *lines: str) -> str:
        """Write a file of nodes and return its path."""
        path = self._directory / "nodes"
        path.write_text("\n".join(lines) + "\n")
        return str(path)

    @property
    def launches(self) -> list[str]:
        """The options of each start, sorted."""
        return sorted(self._log.read_text().splitlines())


@pytest.fixture
def on_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OnMachine:
    return OnMachine(tmp_path, monkeypatch)


def outputs() -> set[str]:
    """Assert that all jobs have finished; return what they said."""
    jobs = list(BalsamJob.objects.all())
    assert {job.state for job in jobs} == {"JOB_FINISHED"}
    return {Path(job.working_directory, f"{job.name}.out").read_text().strip() for job in jobs}


def test_parallel_jobs_on_theta(on_machine: OnMachine) -> None:
    on_machine.enter("theta", "aprun", COBALT_PARTNAME="1001-1002", COBALT_JOBID="7")
    add_app("app", str(on_machine.app))
    both = {"num_nodes": 2, "ranks_per_node": 32, "threads_per_rank": 4, "threads_per_core": 2}
    add_jobs(1, application="app", cpu_affinity="depth", **both)
    add_jobs(1, application="app", node_packing_count=64)
    run_launcher(mode="mpi").check()
    assert outputs() == {""}
    alone, pair = on_machine.launches
    assert alone in ("-n 1 -N 1 -L 1001 -cc none", "-n 1 -N 1 -L 1002 -cc none")
    assert pair == "-n 64 -N 32 -L 1001,1002 -cc depth -d 4 -j 2"


def test_parallel_jobs_on_polaris(on_machine: OnMachine) -> None:
    nodes = on_machine.node_file("x1.site", "x1.site", "x2.site")
    on_machine.enter("polaris", "mpiexec", PBS_NODEFILE=nodes, PBS_JOBID="7.site")
    add_app("app", str(on_machine.app))
    add_jobs(1, application="app", num_nodes=2, ranks_per_node=4, gpus_per_rank=1, threads_per_rank=2)
    run_launcher(mode="mpi").check()
    assert outputs() == {"3,2,1,0"}
    assert on_machine.launches == [
        "-np 8 -ppn 4 --hosts x1.site,x2.site --cpu-bind list:0,1:2,3:4,5:6,7 -d 2"
    ]


def test_parallel_jobs_on_aurora(on_machine: OnMachine) -> None:
    on_machine.enter("aurora", "mpiexec", PBS_NODEFILE=on_machine.node_file("x1", "x2"), PBS_JOBID="7.site")
    here = on_machine.app.parent / "here"
    here.mkdir()
    add_app("app", str(on_machine.app))
    on_machine.app.write_text(ALL_AT_ONCE.format(here=here, count=24))
    add_jobs(24, application="app", gpus_per_rank=1, node_packing_count=12)
    run_launcher(mode="mpi").check()
    assert outputs() == {f"{gpu}.{tile}" for gpu in range(6) for tile in range(2)}
    launch = "-np 1 -ppn 1 --hosts {} --cpu-bind none -d 1 --envall"
    assert on_machine.launches == [launch.format("x1")] * 12 + [launch.format("x2")] * 12


def test_parallel_jobs_on_summit(on_machine: OnMachine) -> None:
    nodes = on_machine.node_file("batch3", *["h1"] * 42, *["h2"] * 42)
    on_machine.enter("summit", "jsrun", LSB_DJOB_HOSTFILE=nodes, LSB_JOBID="7")
    add_app("app", str(on_machine.app))
    add_jobs(1, application="app", num_nodes=2, ranks_per_node=6, gpus_per_rank=1, threads_per_rank=7)
    run_launcher(mode="mpi").check()
    assert outputs() == {""}
    assert on_machine.launches == [
        "--nrs 12 --tasks_per_rs 1 --rs_per_host 6 --cpu_per_rs 7 --bind rs --gpu_per_rs 1"
    ]


def test_serial_jobs_have_a_worker_on_each_node_of_polaris(on_machine: OnMachine) -> None:
    nodes = on_machine.node_file(socket.gethostname(), "x2.site")
    on_machine.enter("polaris", "mpiexec", PBS_NODEFILE=nodes, PBS_JOBID="7.site")
    add_app("app", str(on_machine.app))
    add_jobs(8, application="app", gpus_per_rank=1, node_packing_count=4)
    run_launcher(mode="serial").check()
    assert outputs() == {"3", "2", "1", "0"}
    assert on_machine.launches == ["-np 1 -ppn 1 --hosts x2.site --cpu-bind none -d 1"]
