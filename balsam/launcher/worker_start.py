"""How the worker of a node is started: here as a child, elsewhere by what the machine has for that; pure.

One launch for each node: an MPI launcher passes standard input, on which the secret travels, to its first
rank only.
"""

import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from balsam.platform.mpirun import MpiLauncher, MpiRun

__all__ = ["WorkerStart", "start_on", "starter_environ", "worker_start"]

_WORKER = (sys.executable, "-m", "balsam.launcher.worker")
#: Beside the options of every run. Of Slurm: no process management of MPI, all memory and CPUs of the node.
#: Of jsrun, which deals a node out: all of it.
_FLAGS = {
    "slurm": "--mpi=none --mem=0 --cpu-bind=none",
    "perlmutter": "--mpi=none --mem=0 --cpu-bind=none",
    "jsrun": "--cpu_per_rs ALL_CPUS --gpu_per_rs ALL_GPUS",
}
#: What takes no environment, or not all of it, to other nodes: it travels with the setup.
_WITHOUT_ENVIRON = ("ssh", "openmpi", "thetagpu")
_SSH = ("-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=accept-new")
#: Variables that tell of the node, session or terminal they are set in.
_OF_THE_NODE = ("SSH_", "XDG_", "SLURMD_", "DBUS_", "HOST", "PWD", "OLDPWD", "SHLVL", "TERM", "TMPDIR", "_")


@dataclass(frozen=True, slots=True)
class WorkerStart:
    """The words that start a worker, and the environment that they do not take along."""

    argv: tuple[str, ...]
    environ: Mapping[str, str]


def worker_start(node: str, launcher: str, *, is_here: bool, environ: Mapping[str, str]) -> WorkerStart:
    """Say how to start the worker of ``node`` by ``launcher``: ``ssh``, or the text of an `MpiLauncher`."""
    if is_here:
        return WorkerStart(_WORKER, {})
    left_out = _portable(environ) if launcher.partition("=")[0] in _WITHOUT_ENVIRON else {}
    return WorkerStart(tuple(start_on(node, launcher, _WORKER)), left_out)


def start_on(node: str, launcher: str, argv: Sequence[str]) -> list[str]:
    """Return the words that run ``argv`` once, on a node that is not this one."""
    kind = launcher.partition("=")[0]
    if kind == "ssh":
        return ["ssh", *_SSH, node, f"exec {shlex.join(argv)}"]
    run = MpiRun(argv=argv, hosts=[node], flags=_FLAGS.get(kind, ""))
    return MpiLauncher.from_text(launcher).command(run)


def starter_environ(launcher: str, *, is_root: bool) -> dict[str, str]:
    """Return the variables that ``launcher`` itself needs."""
    return {} if launcher == "ssh" else MpiLauncher.from_text(launcher).environ(is_root=is_root)


def _portable(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if not name.startswith(_OF_THE_NODE)}
