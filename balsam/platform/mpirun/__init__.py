"""MPI launchers: from what is to be run to the words of a command, and which of them is installed."""

from balsam.platform.mpirun.detection import detect
from balsam.platform.mpirun.registry import KNOWN_TEMPLATES, MpiLauncher
from balsam.platform.mpirun.run import MpiRun

__all__ = ["KNOWN_TEMPLATES", "MpiLauncher", "MpiRun", "detect"]
