"""The batch systems there are fakes of."""

import os
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Protocol

from balsam.selftest.fakes.cluster import Cluster
from balsam.selftest.fakes.ledger import Job
from balsam.selftest.fakes.mischief import Prank, Reply

__all__ = ["SCHEDULERS", "Call", "Dialect", "dialect"]

SCHEDULERS = ("slurm", "pbs", "cobalt", "lsf")


class Call:
    """One call of one command."""

    def __init__(
        self, cluster: Cluster, command: str, argv: list[str], *, environ: Mapping[str, str], cwd: str,
        pranks: list[Prank],
    ) -> None:  # fmt: skip
        self.cluster = cluster
        self.command = command
        self.argv = argv
        self.environ = environ
        self.cwd = cwd
        self.pranks = pranks

    def path(self, *parts: str) -> str:
        """Return a path as whoever calls means it."""
        return os.path.abspath(os.path.join(self.cwd, *parts))

    def prank(self, *kinds: str) -> Prank | None:
        """Return the mischief of one of these kinds that befalls this call."""
        return next((prank for prank in self.pranks if prank.kind in kinds), None)

    def submit(
        self, request: Mapping[str, str], script: str, environ: Mapping[str, str], *, is_held: bool
    ) -> Job:
        """Submit a batch job, with the mischief that befalls it; raises Refusal."""
        late = self.prank("late")
        return self.cluster.submit(
            request,
            script,
            environ,
            is_held=is_held,
            is_array=self.prank("array-id") is not None,
            late_sec=late.seconds if late else 0.0,
            reuses_id=self.prank("reuse-id") is not None,
        )


class Dialect(Protocol):
    """What a module of this folder named after a batch system has."""

    #: What a command ends with that does not know a flag.
    USAGE_CODE: int
    #: Command -> its role (submit, list, history, cancel, nodes, projects), and what it does.
    COMMANDS: Mapping[str, tuple[str, Callable[[Call], Reply]]]

    def environ(self, cluster: Cluster, job: Job) -> dict[str, str]:
        """Return the variables a running batch job sees."""

    def trouble(self, command: str, *, is_done: bool) -> Reply:
        """Return what a command answers when the batch system cannot be reached, or not be heard."""


def dialect(scheduler: str) -> Dialect:
    """Return how the commands of a batch system speak."""
    found: Dialect = import_module(f"balsam.selftest.fakes.{scheduler}")
    return found
