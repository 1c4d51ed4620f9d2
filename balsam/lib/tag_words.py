"""Tags and partitions of a batch job as words for its launcher."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["TagWords", "partition_words"]


class TagWords(dict[str, str]):
    """The tags of a batch job: a mapping, and as text the options of a launcher."""

    def __str__(self) -> str:
        return " ".join(f"--tag {shlex.quote(f'{key}={value}')}" for key, value in self.items())


def partition_words(partitions: Sequence[Mapping[str, Any]]) -> str:
    """Return the options of a launcher whose nodes are divided: ``--part mpi:2:role=leader``."""
    return " ".join(f"--part {shlex.quote(_part(part))}" for part in partitions)


def _part(part: Mapping[str, Any]) -> str:
    tags = "".join(f":{key}={value}" for key, value in (part.get("filter_tags") or {}).items())
    return f"{part['job_mode']}:{part['num_nodes']}{tags}"
