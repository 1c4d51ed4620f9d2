"""Machines that are known beforehand: what their nodes have, how ranks are started, and their queues."""

from balsam.platform.machines.machine import Machine, QueueLimits
from balsam.platform.machines.registry import KNOWN_MACHINES, load_machine

__all__ = ["KNOWN_MACHINES", "Machine", "QueueLimits", "load_machine"]
