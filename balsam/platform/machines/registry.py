"""Find a machine by its name, or by the directory in which a site describes its own."""

import difflib
import os
from pathlib import Path

from balsam.exceptions import ConfigError
from balsam.platform.machines.machine import Machine
from balsam.platform.machines.reading import read_machine
from balsam.platform.scheduler import detect_scheduler

__all__ = ["KNOWN_MACHINES", "load_machine"]

#: The generic ones have the names of the schedulers.
KNOWN_MACHINES = (
    "local",
    "slurm",
    "pbs",
    "cobalt",
    "lsf",
    "aurora",
    "cooley",
    "cori-haswell",
    "cori-knl",
    "frontier",
    "perlmutter-cpu",
    "perlmutter-gpu",
    "polaris",
    "summit",
    "sunspot",
    "theta",
    "thetagpu",
)


def load_machine(name: str = "auto") -> Machine:
    """Return a machine by its name, or by the path of its directory, which has a slash.

    ``auto`` is the generic machine of the batch system whose commands are on PATH. Raises ConfigError for an
    unknown machine, and for a description that is wrong, with the file.
    """
    if name == "auto":
        found = detect_scheduler()
        name = found if found in KNOWN_MACHINES else "local"
    if os.sep in name:
        return read_machine(Path(name).expanduser())
    if name not in KNOWN_MACHINES:
        close = difflib.get_close_matches(name.lower().replace("_", "-"), KNOWN_MACHINES, n=1, cutoff=0.5)
        meant = f" Did you mean {close[0]!r}?" if close else ""
        raise ConfigError(
            f"Cannot find the machine: MACHINE {name!r} is not known.{meant} "
            f"Set it in settings.json to one of: auto, {', '.join(KNOWN_MACHINES)}; "
            "or to the path of a directory such as docs/machines.md describes."
        )
    return read_machine(Path(__file__).parent / name)
