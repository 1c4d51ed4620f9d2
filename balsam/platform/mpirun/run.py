"""One parallel run in words that no MPI launcher owns, and what the adapters share."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from balsam.exceptions import JobStartError

__all__ = ["MpiAdapter", "MpiRun", "Option"]

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

    @property
    def is_local(self) -> bool:
        """All ranks run where the MPI launcher does: then no host is named, and no ssh needed."""
        return list(self.hosts) == [self.this_host]

    def words(self, options: Sequence[Option]) -> list[str]:
        """Join options, flags and command; raises JobStartError for flags that do not split."""
        flags = self._split_flags()
        given = {flag.lstrip("-").partition("=")[0] for flag in flags if flag.startswith("-")}
        kept = [word for option, names in options if given.isdisjoint(names) for word in option]
        return [*kept, *flags, *self._safe_argv()]

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

    def options(self, run: MpiRun) -> list[Option]:
        """Return the options that start the ranks where they belong."""

    def environ(self, *, is_root: bool) -> dict[str, str]:
        """Return the variables the launcher itself needs."""
