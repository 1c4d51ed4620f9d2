"""Cray's launcher of the XC series, aprun, which knows nodes by their numbers: Theta."""

import re

from balsam.exceptions import JobStartError
from balsam.platform.mpirun.run import MpiRun, Option, PlainAdapter

__all__ = ["Aprun"]

_NUMBERED = re.compile(r"(?:nid)?0*(\d+)", re.ASCII)


class Aprun(PlainAdapter):
    """``aprun -n R -N P -L 1001,1002 -cc none|depth [-d T -j H]``; the ranks inherit the environment.

    Of the two sources, one gave ``-d`` and ``-j`` with depth only, the other always. They say how many CPUs
    the run claims, so they are needed whenever a rank has more than one thread, or a core more than one.
    """

    executables = ("aprun",)

    def options(self, run: MpiRun) -> list[Option]:
        """Return the options; raises JobStartError for a node without a number."""
        options: list[Option] = [
            (("-n", str(run.num_ranks)), ("n", "pes")),
            (("-N", str(run.ranks_per_node)), ("N", "pes-per-node")),
            (("-L", ",".join(map(_number, run.hosts))), ("L", "node-list", "l", "node-list-file")),
            (("-cc", run.cpu_affinity or "none"), ("cc", "cpu-binding")),
        ]
        if run.cpu_affinity == "depth" or run.threads_per_rank > 1 or run.threads_per_core > 1:
            options.append((("-d", str(run.threads_per_rank)), ("d", "cpus-per-pe")))
            options.append((("-j", str(run.threads_per_core)), ("j", "cpus-per-cu")))
        return options


def _number(host: str) -> str:
    match = _NUMBERED.fullmatch(host)
    if match is None:
        raise JobStartError(
            f"Cannot start the job by aprun on {host!r}, which is no node such as nid01001. "
            "Set WORKER_DETECTION_TYPE to THETA, or MPI_RUN_TEMPLATE to the machine's launcher."
        )
    return match[1]
