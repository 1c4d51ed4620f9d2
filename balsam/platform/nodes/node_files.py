"""Nodes of an allocation that are listed in a file: PBS, Cobalt and LSF."""

from collections.abc import Mapping
from pathlib import Path

from balsam.exceptions import ConfigError
from balsam.lib.nodelists import split_names
from balsam.platform.nodes.errors import outside_of_allocation
from balsam.platform.nodes.node import FoundNode

__all__ = ["cobalt_file_nodes", "lsf_nodes", "pbs_nodes"]


def pbs_nodes(environ: Mapping[str, str]) -> list[FoundNode]:
    """Return the hosts of ``PBS_NODEFILE``, a line per MPI process, by the full names mpiexec knows."""
    return [FoundNode(name=name) for name in split_names(_read(environ, "PBS_NODEFILE", "PBS"))]


def cobalt_file_nodes(environ: Mapping[str, str]) -> list[FoundNode]:
    """Return the hosts of ``COBALT_NODEFILE`` by their short names."""
    names = split_names(_read(environ, "COBALT_NODEFILE", "Cobalt"))
    return [FoundNode(name=name) for name in dict.fromkeys(name.partition(".")[0] for name in names)]


def lsf_nodes(environ: Mapping[str, str]) -> list[FoundNode]:
    """Return the hosts of ``LSB_DJOB_HOSTFILE``, which has a line per slot, or of ``LSB_MCPU_HOSTS``.

    The node of the batch script (``batch1``, ``login1``) runs no jobs where there are others.
    """
    if environ.get("LSB_DJOB_HOSTFILE"):
        slots = _read(environ, "LSB_DJOB_HOSTFILE", "LSF").split()
        counts = {name: slots.count(name) for name in dict.fromkeys(slots)}
    else:
        counts = _mcpu_hosts(environ.get("LSB_MCPU_HOSTS", ""))
    if not counts:
        raise outside_of_allocation("LSB_DJOB_HOSTFILE", "LSF")
    compute = {name: count for name, count in counts.items() if not name.startswith(("batch", "login"))}
    return [FoundNode(name=name, num_cpus=count) for name, count in (compute or counts).items()]


def _mcpu_hosts(text: str) -> dict[str, int]:
    """Read ``host1 42 host2 42``."""
    words = text.split()
    return {name: int(n) for name, n in zip(words[::2], words[1::2], strict=False) if n.isdecimal()}


def _read(environ: Mapping[str, str], variable: str, scheduler: str) -> str:
    path = environ.get(variable)
    if not path:
        raise outside_of_allocation(variable, scheduler)
    try:
        text = Path(path).read_text(errors="replace")
    except OSError as error:
        raise ConfigError(
            f"Cannot find the nodes: {variable} names {path}, which cannot be read: {error.strerror}. "
            "Start the launcher on a node of the allocation."
        ) from error
    if not text.replace(",", " ").split():
        raise ConfigError(f"Cannot find the nodes: {path}, which {variable} names, is empty.")
    return text
