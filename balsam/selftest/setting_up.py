"""Make the directory of a fake batch system: its file, and its commands to be put on PATH."""

import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from balsam.exceptions import ConflictError, UsageError
from balsam.selftest.fakes.cluster import python_words
from balsam.selftest.fakes.ledger import FILE_NAME, Ledger
from balsam.selftest.fakes.schedulers import SCHEDULERS, dialect

__all__ = ["make_fake", "open_fake", "read_queue"]

#: Without any other word, as many machines have them.
DEFAULT_QUEUES: Mapping[str, Mapping[str, int]] = {"debug": {"max_minutes": 60}, "default": {}}
_LIMITS = {"max-nodes": "max_nodes", "max-minutes": "max_minutes", "max-queued": "max_queued"}


def make_fake(
    scheduler: str,
    directory: Path,
    *,
    num_nodes: int = 4,
    queues: Mapping[str, Mapping[str, int]] = DEFAULT_QUEUES,
    projects: Sequence[str] = (),
    minute_sec: float = 60.0,
    grace_sec: float = 10.0,
) -> Path:
    """Make a fake in a new or empty directory; return the directory of its commands, for PATH.

    ``minute_sec``: how many seconds a minute of wall time lasts. Raises UsageError, ConflictError.
    """
    if scheduler not in SCHEDULERS:
        raise UsageError(f"There is no fake of {scheduler!r}; there are {', '.join(SCHEDULERS)}.")
    directory = directory.expanduser().absolute()
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if any(directory.iterdir()):
            raise ConflictError(f"{directory} is not empty. Name a new directory for the fake.")
        _fill(scheduler, directory)
    except OSError as error:
        raise UsageError(f"Cannot make a fake in {directory}: {error.strerror}. Name another one.") from error
    with Ledger(directory) as ledger:
        ledger.make_tables(
            {
                "scheduler": scheduler,
                "num_nodes": num_nodes,
                "minute_sec": minute_sec,
                "grace_sec": grace_sec,
                "projects": list(projects),
                "queues": {name: dict(limits) for name, limits in queues.items()},
            }
        )
    return directory / "bin"


def open_fake(directory: Path) -> Ledger:
    """Open the file of a fake that is there; raises UsageError where there is none."""
    if not (directory.expanduser() / FILE_NAME).exists():
        raise UsageError(
            f"There is no fake batch system in {directory}.\n"
            f"Make one: `balsam selftest fake slurm {shlex.quote(str(directory))}`."
        )
    return Ledger(directory.expanduser())


def read_queue(text: str) -> tuple[str, dict[str, int]]:
    """Read ``name:max-nodes=4,max-minutes=60,max-queued=20,closed``; raises UsageError."""
    name, _, rest = text.partition(":")
    limits: dict[str, int] = {}
    for word in filter(None, rest.split(",")):
        key, _, value = word.partition("=")
        if word == "closed":
            limits["is_closed"] = 1
        elif key in _LIMITS and value.isdecimal():
            limits[_LIMITS[key]] = int(value)
        else:
            raise UsageError(
                f"Cannot read {word!r} of queue {name!r}: limits are {', '.join(f'{k}=N' for k in _LIMITS)} "
                "and closed, as in debug:max-nodes=2,max-minutes=60."
            )
    return name, limits


def _fill(scheduler: str, directory: Path) -> None:
    for part in ("bin", "spool"):
        (directory / part).mkdir()
    for command in dialect(scheduler).COMMANDS:
        path = directory / "bin" / command
        words = shlex.join(python_words("main", str(directory), command))
        path.write_text(f'#!/bin/sh\nexec {words} "$@"\n', encoding="utf-8")
        os.chmod(path, 0o755)
