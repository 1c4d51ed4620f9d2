"""Complete what a launcher was asked for by what is around it: what starts programs here and elsewhere."""

import os
import shutil
from collections.abc import Sequence
from dataclasses import replace

from balsam.config import UserSettings
from balsam.exceptions import ConfigError
from balsam.launcher.options import LauncherOptions
from balsam.platform.mpirun import MpiLauncher, detect
from balsam.platform.nodes import Node
from balsam.platform.nodes.local import is_this_host

__all__ = ["in_surroundings"]


def in_surroundings(
    options: LauncherOptions, settings: UserSettings, nodes: Sequence[Node]
) -> LauncherOptions:
    """Return the options of a launcher on these nodes; raises ConfigError for what is not installed."""
    options = replace(options, names_hosts="SLURM_JOB_ID" in os.environ)
    if not options.is_serial:
        return replace(options, mpirun=detect(settings.MPI_RUN_TEMPLATE))
    if all(is_this_host(node.name, os.environ) for node in nodes):
        return options
    return replace(options, worker_launcher=_worker_launcher(settings))


def _worker_launcher(settings: UserSettings) -> str:
    """Return what starts workers on other nodes.

    ``auto`` is srun in an allocation of Slurm, else the MPI launcher of jobs, else ssh.
    """
    chosen = settings.WORKER_LAUNCHER
    if chosen == "ssh":
        if shutil.which("ssh") is None:
            raise ConfigError(
                "Cannot start workers on other nodes: WORKER_LAUNCHER is ssh, and there is no ssh on PATH. "
                "Set it in settings.json to auto."
            )
        return chosen
    if chosen != "auto":
        return detect(chosen)
    srun = shutil.which("srun") if "SLURM_JOB_ID" in os.environ else None
    if srun is not None:
        return str(MpiLauncher("slurm", srun))
    return detect(settings.MPI_RUN_TEMPLATE) or "ssh"
