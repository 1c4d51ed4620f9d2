"""One parallel run in words that no MPI launcher owns, and what the adapters share."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from balsam.exceptions import JobStartError

__all__ = ["MpiAdapter", "MpiRun", "Option", "PlainAdapter"]

#: The words of an option, and all names (without dashes) by which users may give it themselves.
Option = tuple[Sequence[str], Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class MpiRun:
    """What to run, where, and how often.

    ``flags`` are the user's own, as a shell would split them: an option given there replaces Balsam's.
    ``forward`` names variables of the launcher's environment that the ranks on other hosts need, too.
    """

    argv: Sequence[str]
    num_ranks: int = 1
    ranks_per_node: int = 1
    hosts: Sequence[str]
    #: Where the MPI launcher itself is started.
    this_host: str = ""
    flags: str = ""
    forward: Sequence[str] = ()
    threads_per_rank: int = 1
    #: Hardware threads to use of each core.
    threads_per_core: int = 1
    #: The user's word on binding: "none", "depth" (each rank to its own CPUs), "core", or the launcher's own.
    cpu_affinity: str = "none"
    #: The CPUs the job was given on each of its nodes.
    cpu_ids: Sequence[int] = ()
    gpus_per_rank: float = 0.0
    #: The variables that show the job its GPUs; empty where each rank is shown its own by other means.
    gpu_masks: Mapping[str, str] = field(default_factory=dict)
    #: No other job runs on these nodes.
    is_alone: bool = True
    #: The batch system's file of all nodes of the allocation, where it has one.
    hostfile: str = ""

    @property
    def is_local(self) -> bool:
        """All ranks run where the MPI launcher does: then no host is named, and no ssh needed."""
        return list(self.hosts) == [self.this_host]

    @property
    def is_bound(self) -> bool:
        """The user wants the ranks bound."""
        return self.cpu_affinity not in ("", "none")

    @property
    def cores_per_rank(self) -> int:
        """Cores that one rank asks for, at least 1."""
        return max(1, self.threads_per_rank // max(1, self.threads_per_core))

    def cpus_of_ranks(self) -> list[tuple[int, ...]]:
        """Deal the job's CPUs to the ranks of a node; empty where there are fewer than the ranks ask for."""
        each = self.cores_per_rank
        if len(self.cpu_ids) < each * self.ranks_per_node:
            return []
        starts = range(0, each * self.ranks_per_node, each)
        return [tuple(self.cpu_ids[start : start + each]) for start in starts]

    def words(self, options: Sequence[Option], before: Sequence[str] = ()) -> list[str]:
        """Join options, flags, what is put ``before`` the command, and the command.

        Raises JobStartError for flags that do not split.
        """
        flags = self._split_flags()
        given = {flag.lstrip("-").partition("=")[0] for flag in flags if flag.startswith("-")}
        kept = [word for option, names in options if given.isdisjoint(names) for word in option]
        return [*kept, *flags, *before, *self._safe_argv()]

    def _split_flags(self) -> list[str]:
        try:
            return shlex.split(self.flags)
        except ValueError as error:
            raise JobStartError(
                f"Cannot split the job's mpi_flags {self.flags!r}: {str(error).lower()}. "
                "Correct them; `'` and `\"` come in pairs."
            ) from error

    def _safe_argv(self) -> list[str]:
        """Hide a lone ``:`` in a script: every MPI launcher reads it as the begin of another command."""
        if ":" in self.argv:
            return ["/bin/sh", "-c", f"exec {shlex.join(self.argv)}"]
        return list(self.argv)


class MpiAdapter(Protocol):
    """One kind of MPI launcher; pure text."""

    #: Names of its command, the preferred first.
    executables: Sequence[str]
    #: What its ``--version`` shows it to be, see `detection.parse_version`; empty where that is not known.
    family: str

    def options(self, run: MpiRun) -> list[Option]:
        """Return the options that start the ranks where they belong."""

    def before(self, run: MpiRun) -> list[str]:
        """Return the words to put before the application, for what the launcher itself would undo."""

    def assigns_gpus(self, run: MpiRun) -> bool:
        """Say whether the launcher shows each rank its GPUs, so that the job's mask would be in its way."""

    def inherits_cpus(self, run: MpiRun) -> bool:
        """Say whether the ranks run on the CPUs to which the launcher itself is bound."""

    def environ(self, *, is_root: bool) -> dict[str, str]:
        """Return the variables the launcher itself needs."""


class PlainAdapter:
    """What holds for most launchers: the ranks take the environment as it is, and nothing else."""

    family = ""

    def before(self, run: MpiRun) -> list[str]:
        """Return nothing."""
        return []

    def assigns_gpus(self, run: MpiRun) -> bool:
        """The job's mask counts."""
        return False

    def inherits_cpus(self, run: MpiRun) -> bool:
        """The ranks are children of a daemon, or of the launcher on other hosts."""
        return False

    def environ(self, *, is_root: bool) -> dict[str, str]:
        """Return nothing: it runs for any user."""
        return {}
