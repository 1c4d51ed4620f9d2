"""The account of all batch jobs of this user on this host: one SQLite file, and the statements on it.

Guards that a batch job is run by one keeper: a keeper runs nothing before it has won `claim`.
"""

import json
import os
import socket
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from balsam.config.home import balsam_home
from balsam.lib.processes import ProcessIdentity, this_process
from balsam.states import BatchJobEnd

__all__ = ["Entry", "Ledger", "default_path"]

#: Others may be starting batch jobs meanwhile.
_PATIENCE_SEC = 30.0
_TABLE = """
CREATE TABLE IF NOT EXISTS batch_job (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    project TEXT NOT NULL,
    queue TEXT NOT NULL,
    num_nodes INTEGER NOT NULL,
    wall_time_min REAL NOT NULL,
    script TEXT NOT NULL,
    cwd TEXT NOT NULL,
    output TEXT NOT NULL,
    environ TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'queued',
    submitted REAL NOT NULL,
    started REAL,
    ended REAL,
    -- counts the times it was given to a keeper
    launch INTEGER NOT NULL DEFAULT 0,
    keeper TEXT,
    is_cancelled INTEGER NOT NULL DEFAULT 0,
    end TEXT,
    reason TEXT NOT NULL DEFAULT ''
)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One batch job; times are seconds since the epoch. ``state`` is queued, running or finished."""

    id: int
    name: str
    project: str
    queue: str
    num_nodes: int
    wall_time_min: float
    script: str
    cwd: str
    output: str
    state: str
    submitted: float
    started: float | None
    ended: float | None
    launch: int
    keeper: str | None
    is_cancelled: int
    end: str | None
    reason: str

    @property
    def identity(self) -> ProcessIdentity | None:
        """Its keeper; None before one has claimed it."""
        return ProcessIdentity(**json.loads(self.keeper)) if self.keeper else None


_COLUMNS = ", ".join(Entry.__dataclass_fields__)


def default_path() -> Path:
    """Return where the account is: one for each host, as homes are often shared."""
    return balsam_home() / "localqueue" / f"{socket.gethostname()}.sqlite"


class Ledger:
    """The open account; a context manager."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))  # it holds environments
        self._db = sqlite3.connect(path, timeout=_PATIENCE_SEC, isolation_level=None)
        self._db.row_factory = lambda cursor, row: dict(
            zip((column[0] for column in cursor.description), row, strict=True)
        )
        self._db.execute(_TABLE)

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Let nobody else write while the block runs; all of it is kept, or nothing."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def add(self, values: Mapping[str, str | float], environ: Mapping[str, str]) -> int:
        """Add a batch job at the end of the queue; return its number, which no other ever gets."""
        row = {**values, "environ": json.dumps(dict(environ)), "submitted": time.time()}
        names, marks = ", ".join(row), ", ".join("?" * len(row))
        cursor = self._db.execute(f"INSERT INTO batch_job ({names}) VALUES ({marks})", tuple(row.values()))
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def entries(self, *, ended_since: float | None = None) -> list[Entry]:
        """Return those that have not ended, and those that ended at or after that time, by number."""
        query = f"SELECT {_COLUMNS} FROM batch_job WHERE state <> 'finished' OR ended >= ? ORDER BY id"
        since = float("inf") if ended_since is None else ended_since
        return [Entry(**row) for row in self._db.execute(query, (since,))]

    def get(self, number: int) -> Entry | None:
        """Return one batch job; None when there is none of that number."""
        row = self._db.execute(f"SELECT {_COLUMNS} FROM batch_job WHERE id = ?", (number,)).fetchone()
        return Entry(**row) if row else None

    def environ(self, number: int) -> dict[str, str]:
        """Return the environment a batch job was submitted from."""
        row = self._db.execute("SELECT environ FROM batch_job WHERE id = ?", (number,)).fetchone()
        found: dict[str, str] = json.loads(row["environ"])
        return found

    def give_to_keeper(self, number: int) -> int:
        """Mark a batch job as started; return the number of this launch."""
        self._db.execute(
            "UPDATE batch_job SET state = 'running', started = ?, launch = launch + 1 WHERE id = ?",
            (time.time(), number),
        )
        entry = self.get(number)
        assert entry is not None
        return entry.launch

    def claim(self, number: int, launch: int) -> bool:
        """Take a batch job as its keeper; False when it is cancelled, over, or somebody else's."""
        keeper = this_process()
        identity = {"host": keeper.host, "boot_id": keeper.boot_id, "pid": keeper.pid}
        text = json.dumps({**identity, "start_time": keeper.start_time})
        cursor = self._db.execute(
            "UPDATE batch_job SET keeper = ?, started = ? WHERE id = ? AND launch = ? "
            "AND state = 'running' AND keeper IS NULL AND NOT is_cancelled",
            (text, time.time(), number, launch),
        )
        return cursor.rowcount == 1

    def put_back(self, number: int) -> None:
        """Queue a batch job again whose keeper never came."""
        self._db.execute(
            "UPDATE batch_job SET state = 'queued', started = NULL WHERE id = ? AND keeper IS NULL", (number,)
        )

    def ask_to_end(self, number: int) -> None:
        """Note that a batch job is cancelled; one that no keeper has claimed ends at once."""
        self._db.execute("UPDATE batch_job SET is_cancelled = 1 WHERE id = ?", (number,))
        entry = self.get(number)
        if entry is not None and entry.keeper is None:
            self.finish(number, BatchJobEnd.CANCELLED, "It was cancelled before it started")

    def finish(self, number: int, end: BatchJobEnd, reason: str) -> None:
        """Record how a batch job ended; the first record counts."""
        self._db.execute(
            "UPDATE batch_job SET state = 'finished', ended = ?, end = ?, reason = ?, environ = '{}' "
            "WHERE id = ? AND state <> 'finished'",
            (time.time(), end.value, reason, number),
        )
