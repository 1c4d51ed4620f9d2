"""The parts of a batch job, as they are typed."""

from collections.abc import Mapping, Sequence
from typing import Any

from balsam.exceptions import UsageError

__all__ = ["check_parts", "read_part"]


def read_part(text: str) -> dict[str, Any]:
    """Read ``MODE:NODES[:KEY=VALUE...]``; raises UsageError."""
    mode, _, rest = text.partition(":")
    count, *tags = rest.split(":")
    is_count = count.isdecimal() and int(count) > 0
    if mode not in ("serial", "mpi") or not is_count or not all("=" in tag for tag in tags):
        raise UsageError(f"The part {text!r} is not in the format MODE:NODES[:KEY=VALUE...].")
    pairs = dict(tag.split("=", 1) for tag in tags)
    return {"job_mode": mode, "num_nodes": int(count), "filter_tags": pairs}


def check_parts(parts: Sequence[Mapping[str, Any]], num_nodes: int) -> None:
    """Raise UsageError for parts that are not all of the nodes."""
    total = sum(part["num_nodes"] for part in parts)
    if parts and total != num_nodes:
        raise UsageError(f"The parts have {total} nodes; they do not add up to {num_nodes}.")
