"""What moves files: the batches a transport is given, and what it may ask of whoever gives them.

A transport of another project is a class without arguments that has `carry`; it is found by the entry point
group ``balsam.transfers``, whose names are those that stand before the colon of an address.
"""

import os
import posixpath
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from balsam.lib.beneath import is_below

__all__ = ["Answer", "Batch", "CommandLine", "Desk", "Endpoint", "Move", "Place", "Placing", "Transport"]

Placing = Literal["move", "copy", "link"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where files are: how it is reached, who and where (''; 0: as the user's configuration says), a path."""

    transport: str
    host: str = ""
    user: str = ""
    port: int = 0
    path: str = "/"
    #: What else a location says of how it is reached: names and values.
    options: tuple[tuple[str, str], ...] = ()

    @property
    def login(self) -> str:
        """What a person types after `ssh`."""
        words = f"{self.user}@{self.host}" if self.user else self.host
        return f"-p {self.port} {words}" if self.port else words

    def __str__(self) -> str:
        return f"{self.transport}:{self.login}" if self.host else self.transport


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The Globus endpoint through which others reach the files of this site; '': there is none.

    ``path`` is what it calls the directory ``site_path`` of this machine; '': the same.
    """

    id: str = ""
    site_path: str = ""
    path: str = ""

    def path_of(self, local: str) -> str | None:
        """Return what the endpoint calls a file of this machine; None: nothing that is known."""
        if not self.path:
            return local
        if not is_below(local, self.site_path):
            return None
        return posixpath.join(self.path, local[len(self.site_path) :].lstrip("/"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One file or directory to be moved.

    ``remote`` is its path at the other end. ``local`` are existing files and directories that go there; of a
    move in, none. ``is_pattern``: wildcards in ``remote`` mean others. ``is_directory``: ``remote`` is one,
    and what goes there keeps its name.
    """

    item_id: int
    remote: str
    local: tuple[str, ...] = ()
    recursive: bool = False
    is_pattern: bool = False
    is_directory: bool = False
    #: The directory at the other end, out of which nothing may lead; '': any.
    top: str = ""
    #: What `Desk.note_task` was told when the move was last under way; '': that is over.
    task_id: str = ""

    @property
    def name(self) -> str:
        """What a file or directory that comes is called on its way."""
        return posixpath.basename(self.remote.rstrip("/")) or "all"

    def target_of(self, local: str) -> str:
        """Return the path at the other end of one of ``local``."""
        if self.is_directory:
            return posixpath.join(self.remote, os.path.basename(local))
        return self.remote


@dataclass(frozen=True, slots=True)
class Batch:
    """Moves of one direction (in, out) between here and one place, and of one ``task_id``."""

    direction: str
    place: Place
    moves: tuple[Move, ...]


@dataclass(frozen=True, slots=True)
class CommandLine:
    """A program to be run, and what it is to read."""

    argv: Sequence[str]
    stdin: bytes = b""


@dataclass(frozen=True, slots=True)
class Answer:
    """How a program ended, and what it said."""

    returncode: int
    stdout: str
    stderr: str

    @property
    def words(self) -> str:
        """Its last lines."""
        told = self.stderr.strip() or self.stdout.strip()
        return "\n".join(told.splitlines()[-4:])[-1000:] or f"it ended with code {self.returncode}"


class Desk(Protocol):
    """What a transport has at hand while it carries a batch. Each move ends by one call of the last three."""

    #: A directory of its own, on the file system of the working directories. What an earlier try of such a
    #: batch has left there may be used.
    scratch: str
    endpoint: Endpoint

    def check(self) -> None:
        """Raise StepInterrupted when the work is to end, StepUnwanted when it is not to be done again."""

    def run(
        self,
        command: CommandLine,
        on_line: Callable[[str], None] | None = None,
        on_wait: Callable[[], None] | None = None,
    ) -> Answer:
        """Run a program to its end; raises StepInterrupted.

        ``on_line`` is called with each line it prints, as it comes; that is no part of the answer then.
        ``on_wait`` is called about once a second while it runs. What they raise ends the program.
        """

    def ssh_options(self) -> tuple[str, ...]:
        """Log in, if need be, and return options (-o …) with which ssh uses that login and no other.

        Raises TransferWait when a person has to log in, or the host does not answer.
        """

    def pause(self, seconds: float) -> None:
        """Let time pass; raises StepInterrupted as soon as the work is to end."""

    def directory_of(self, move: Move) -> str:
        """Return a directory of a move's own, which whoever carries it has until it is done or given up."""

    def note_task(self, moves: Sequence[Move], task_id: str) -> None:
        """Return once it is kept what others do of moves, so that it is not begun again if this process dies.

        It is forgotten when a move fails. Raises StepInterrupted.
        """

    def progress(self, move: Move, size_bytes: int, total_bytes: int = 0) -> None:
        """Tell how much of a move has come so far, and of how much; 0: unknown. It may be called often."""

    def arrived(self, move: Move, paths: Sequence[str], how: Placing = "move") -> None:
        """Say that a move in is here, whole; the files are moved, copied or linked to their place."""

    def sent(self, move: Move, size_bytes: int) -> None:
        """Say that a move out is there, whole."""

    def failed(self, move: Move, words: str, *, is_final: bool) -> None:
        """Say why a move cannot be done; ``is_final``: trying again is of no use."""


class Transport(Protocol):
    """One way of moving files."""

    def carry(self, batch: Batch, desk: Desk) -> None:
        """Do the moves of a batch; those it says nothing of are tried again.

        Raises TransferWait, which counts for all that are left, and is no failure of theirs.
        """
