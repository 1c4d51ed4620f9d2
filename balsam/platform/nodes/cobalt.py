"""Nodes of a Cobalt allocation of a Cray XC, such as Theta; and the machines that are no more."""

from collections.abc import Mapping

from balsam.exceptions import ConfigError
from balsam.lib.nodelists import expand_ranges, unique
from balsam.platform.nodes.errors import outside_of_allocation
from balsam.platform.nodes.node import FoundNode

__all__ = ["bgq_nodes", "cobalt_partition_nodes"]


def cobalt_partition_nodes(environ: Mapping[str, str]) -> list[FoundNode]:
    """Return the nodes of ``COBALT_PARTNAME``, ``1001-1005,1030``, by their names ``nid01001`` and so on."""
    text = environ.get("COBALT_PARTNAME")
    if not text:
        raise outside_of_allocation("COBALT_PARTNAME", "Cobalt")
    try:
        numbers = expand_ranges(text)
    except ValueError as error:
        raise ConfigError(f"Cannot find the nodes: COBALT_PARTNAME is {text!r}, and {error}.") from error
    return [FoundNode(name=name) for name in unique(f"nid{int(number):05d}" for number in numbers)]


def bgq_nodes(environ: Mapping[str, str]) -> list[FoundNode]:
    """Refuse: nothing runs on a Blue Gene/Q."""
    raise ConfigError(
        "Cannot find the nodes: WORKER_DETECTION_TYPE BGQ is known, but the blocks of a Blue Gene/Q are not "
        "supported. Set it in settings.json to auto."
    )
