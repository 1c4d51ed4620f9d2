"""The words that start a worker on a node, for each thing that can start one."""

import sys

import pytest

from balsam.launcher.worker_start import worker_start

WORKER = (sys.executable, "-m", "balsam.launcher.worker")


def test_worker_of_this_host_is_a_child():
    start = worker_start("n1", "slurm=/usr/bin/srun", is_here=True, environ={"PATH": "/bin"})
    assert (start.argv, start.environ) == (WORKER, {})


def test_srun_names_the_node_and_lets_the_worker_have_all_of_it():
    argv = worker_start("n2", "slurm=/usr/bin/srun", is_here=False, environ={}).argv
    assert argv[0] == "/usr/bin/srun"
    assert argv[-3:] == WORKER
    assert argv[argv.index("--nodelist") + 1] == "n2"
    assert {"--overlap", "--mpi=none", "--mem=0", "--cpu-bind=none"} <= set(argv)


def test_hydra_starts_one_rank_on_the_node():
    argv = worker_start("n2", "mpich=/opt/mpiexec", is_here=False, environ={}).argv
    assert argv[0] == "/opt/mpiexec"
    assert argv[argv.index("-n") + 1] == "1"
    assert argv[argv.index("-hosts") + 1] == "n2"
    assert argv[-3:] == WORKER


@pytest.mark.parametrize("launcher", ["ssh", "openmpi=/opt/mpiexec"])
def test_what_takes_no_environment_along_has_it_in_the_setup(launcher: str):
    environ = {
        "PATH": "/bin",
        "LD_LIBRARY_PATH": "/opt",
        "SLURMD_NODENAME": "n1",
        "HOSTNAME": "h",
        "PWD": "/",
    }
    start = worker_start("n2", launcher, is_here=False, environ=environ)
    assert start.environ == {"PATH": "/bin", "LD_LIBRARY_PATH": "/opt"}


def test_ssh_asks_nobody_for_a_password():
    argv = worker_start("n2", "ssh", is_here=False, environ={}).argv
    assert argv[0] == "ssh" and "BatchMode=yes" in argv and argv[-2] == "n2"
