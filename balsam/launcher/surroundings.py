"""Complete what a launcher was asked for by what is around it: what starts programs here and elsewhere."""

import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from balsam.config import UserSettings
from balsam.exceptions import ConfigError
from balsam.launcher.batch_job import surrounding_batch_job
from balsam.launcher.options import LauncherOptions
from balsam.lib.processes import this_process
from balsam.platform.machines import Machine
from balsam.platform.mpirun import MpiLauncher, detect
from balsam.platform.nodes import Node, NodeDescription
from balsam.platform.nodes.local import is_this_host
from balsam.schemas.sessions import SessionRequest

__all__ = ["in_surroundings", "node_description", "session_request"]


def in_surroundings(
    options: LauncherOptions, settings: UserSettings, machine: Machine, nodes: Sequence[Node]
) -> LauncherOptions:
    """Return the options of a launcher on these nodes; raises ConfigError for what is not installed."""
    options = replace(
        _in_batch_job(options),
        gpu_kind=machine.gpu_kind,
        job_order=settings.JOB_ORDER,
        error_tail_lines=settings.ERROR_TAIL_LINES,
    )
    elsewhere = [node.name for node in nodes if not is_this_host(node.name, os.environ)]
    if elsewhere:
        options = replace(options, worker_launcher=_worker_launcher(settings))
    if options.is_serial:
        return options
    mpirun = detect(settings.MPI_RUN_TEMPLATE)
    if elsewhere and not mpirun:
        raise ConfigError(
            f"Cannot run jobs on {elsewhere[0]} and other nodes: no MPI launcher was found on PATH. "
            "Load the machine's MPI module, `pip install mpich`, or use --job-mode serial."
        )
    return replace(
        options,
        mpirun=mpirun,
        takes_whole_nodes=bool(mpirun) and not _shares_nodes(settings, machine),
        max_concurrent=settings.MAX_CONCURRENT_MPIRUNS if mpirun else None,
        max_parallel_starts=settings.MAX_MPI_LAUNCHES_PER_ALLOCATION,
    )


def _shares_nodes(settings: UserSettings, machine: Machine) -> bool:
    """Say whether the MPI launcher starts several runs on a node."""
    chosen = settings.MPI_SHARES_NODES
    return machine.mpi_shares_nodes if chosen == "auto" else chosen == "yes"


def _in_batch_job(options: LauncherOptions) -> LauncherOptions:
    """Add the name of the batch job around this launcher, and its time where the user has given none."""
    batch_job = surrounding_batch_job(os.environ)
    if batch_job is None:
        return options
    options = replace(options, scheduler_id=batch_job.scheduler_id, names_hosts=not batch_job.is_local)
    if options.time_limit_min is not None:
        return options
    name = f"batch job {batch_job.scheduler_id} of {batch_job.scheduler}"
    return replace(options, time_limit_min=batch_job.time_limit_min(), time_source=name)


def node_description(options: LauncherOptions, settings: UserSettings, machine: Machine) -> NodeDescription:
    """Say what is known of the nodes beforehand: the machine's word, or the user's on serial jobs."""
    cores, stride = settings.SERIAL_CORES_PER_NODE, settings.SERIAL_HYPERTHREAD_STRIDE
    if not options.is_serial or not cores:
        return machine.nodes
    return replace(machine.nodes, cpus=tuple(range(0, cores * stride, stride)))


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


def session_request(options: LauncherOptions, nodes: Sequence[Node]) -> SessionRequest:
    """Say who wants to hold jobs: this process, in its batch job, with what it can run."""
    me = this_process()
    return SessionRequest(
        kind="launcher",
        host=me.host,
        boot_id=me.boot_id,
        pid=me.pid,
        start_time=me.start_time,
        label=options.mode,
        site_id=options.site_id,
        scheduler_id=options.scheduler_id,
        about=_about(options, nodes),
    )


def _about(options: LauncherOptions, nodes: Sequence[Node]) -> dict[str, Any]:
    """Say what this launcher can run, for those who ask why a job does not."""
    return {
        "mode": options.mode,
        "workflow": options.workflow,
        "tags": dict(options.tags),
        "time_limit_min": None if options.start_unfit else options.time_limit_min,
        "steps": options.num_transition_threads,
        "num_nodes": len(nodes),
        "gpus": max(len(node.gpus) for node in nodes),
        "memory_mb": max(node.memory_mb for node in nodes),
    }
