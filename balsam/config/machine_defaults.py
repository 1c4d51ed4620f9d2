"""What the machine named in `settings.json` says where the file itself says nothing."""

import os
from typing import TYPE_CHECKING

from balsam.config.home import balsam_home

if TYPE_CHECKING:
    from balsam.platform.machines import Machine

__all__ = ["machine_defaults", "machine_named"]


def machine_named(name: str) -> "Machine":
    """Return the machine of a `MACHINE` setting; a path is relative to the directory of settings.json.

    Raises ConfigError when there is none, or its description is wrong.
    """
    from balsam.platform.machines import load_machine  # most commands need no machine

    return load_machine(str(balsam_home() / os.path.expanduser(name)) if os.sep in name else name)


def machine_defaults(name: str) -> dict[str, str | int]:
    """Return the settings that follow from the machine; none for ``auto``, where each is found by itself."""
    if name == "auto":
        return {}
    machine = machine_named(name)
    project = {"DEFAULT_PROJECT": machine.default_project} if machine.default_project else {}
    return {
        **project,
        "SCHEDULER_CLASS": machine.scheduler,
        "MPI_RUN_TEMPLATE": machine.mpi_run_template,
        "WORKER_DETECTION_TYPE": machine.worker_detection_type,
        "MAX_CONCURRENT_MPIRUNS": machine.max_concurrent_mpiruns,
        "MAX_MPI_LAUNCHES_PER_ALLOCATION": machine.max_mpi_launches_per_allocation,
        "JOB_TEMPLATE": str(machine.job_template),
        "QUEUE_POLICY": f"{machine.name}_policy.ini",
    }
