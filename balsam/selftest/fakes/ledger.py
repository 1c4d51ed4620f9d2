"""What a fake batch system knows: one SQLite file with its settings, its batch jobs and its mischief.

Guards that every batch job that was ever accepted has a row, whatever its commands say of it: tests compare
with these rows. No dataclasses here: their import takes longer than all else.
"""

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["FILE_NAME", "Job", "Ledger", "Settings"]

FILE_NAME = "fake.sqlite"
#: Others may be listing 100,000 batch jobs meanwhile.
_PATIENCE_SEC = 30.0
_TABLES = """
CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS job (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    -- what the commands call it; not always its own alone
    id INTEGER NOT NULL,
    name TEXT NOT NULL,
    user TEXT NOT NULL,
    project TEXT NOT NULL,
    queue TEXT NOT NULL,
    num_nodes INTEGER NOT NULL,
    minutes INTEGER NOT NULL,
    script TEXT NOT NULL,
    cwd TEXT NOT NULL,
    stdout TEXT NOT NULL,
    stderr TEXT NOT NULL,
    environ TEXT NOT NULL,
    -- queued, held, running, ended
    state TEXT NOT NULL,
    submitted REAL NOT NULL,
    listed_from REAL NOT NULL,
    started REAL,
    ended REAL,
    nodes TEXT NOT NULL DEFAULT '',
    -- counts the times it was started
    launch INTEGER NOT NULL DEFAULT 0,
    supervisor INTEGER,
    -- the end somebody wants for it, or 'requeue'
    asked TEXT NOT NULL DEFAULT '',
    -- completed, failed, timeout, cancelled, preempted, node_fail, out_of_memory
    end TEXT NOT NULL DEFAULT '',
    exit_code INTEGER,
    is_array INTEGER NOT NULL DEFAULT 0,
    is_forgotten INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS job_state ON job (state);
CREATE TABLE IF NOT EXISTS mischief (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    command TEXT NOT NULL,
    times INTEGER NOT NULL,
    probability REAL NOT NULL,
    seed TEXT NOT NULL,
    seconds REAL NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0,
    hits INTEGER NOT NULL DEFAULT 0
);
"""


class Settings:
    """How a fake batch system is set up; see `balsam selftest fake --help` for each."""

    def __init__(self, values: dict[str, object]) -> None:
        self.scheduler = str(values["scheduler"])
        self.num_nodes = int(str(values["num_nodes"]))
        #: Seconds that a minute of wall time lasts.
        self.minute_sec = float(str(values["minute_sec"]))
        #: Seconds between SIGTERM and SIGKILL.
        self.grace_sec = float(str(values["grace_sec"]))
        self.projects: list[str] = _list(values["projects"])
        #: Queue -> its limits: max_nodes, max_minutes, max_queued; and is_closed. The first is the default.
        self.queues: dict[str, dict[str, int]] = _dict(values["queues"])


class Job:
    """One row; times are seconds since the epoch, None where there is none yet."""

    seq: int
    id: int
    name: str
    user: str
    project: str
    queue: str
    num_nodes: int
    minutes: int
    script: str
    cwd: str
    stdout: str
    stderr: str
    state: str
    submitted: float
    listed_from: float
    started: float | None
    ended: float | None
    #: Numbers of its nodes, separated by blanks.
    nodes: str
    launch: int
    supervisor: int | None
    asked: str
    end: str
    exit_code: int | None
    is_array: int
    is_forgotten: int

    __slots__ = tuple(__annotations__)

    def __init__(self, row: tuple[object, ...]) -> None:
        for name, value in zip(self.__slots__, row, strict=True):
            setattr(self, name, value)


_COLUMNS = ", ".join(Job.__slots__)


class Ledger:
    """The open file; close it, or use it as a context manager."""

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        self.directory = os.path.abspath(directory)
        path = os.path.join(self.directory, FILE_NAME)
        self._db = sqlite3.connect(path, timeout=_PATIENCE_SEC, isolation_level=None)
        self._db.execute("PRAGMA synchronous = OFF")

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def make_tables(self, values: dict[str, object]) -> None:
        """Make the tables, and keep the settings."""
        self._db.executescript(_TABLES)
        for name, value in values.items():
            self._db.execute("REPLACE INTO setting VALUES (?, ?)", (name, json.dumps(value)))

    def settings(self) -> Settings:
        """Read the settings."""
        rows = self._db.execute("SELECT name, value FROM setting")
        return Settings({name: json.loads(value) for name, value in rows})

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

    def insert(self, table: str, **values: object) -> int:
        """Add a row; return its number, which no other ever gets."""
        names, marks = ", ".join(values), ", ".join("?" * len(values))
        cursor = self._db.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(values.values()))
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def jobs(self, where: str = "1", *values: object) -> list[Job]:
        """Return the batch jobs of which ``where`` holds, in the order of their submission."""
        return [
            Job(row)
            for row in self._db.execute(f"SELECT {_COLUMNS} FROM job WHERE {where} ORDER BY seq", values)
        ]

    def environ(self, seq: int) -> dict[str, str]:
        """Return the environment a batch job runs in, without what the batch system adds."""
        (text,) = self._db.execute("SELECT environ FROM job WHERE seq = ?", (seq,)).fetchone()
        found: dict[str, str] = json.loads(text)
        return found

    def change(self, seq: int, where: str = "1", **values: object) -> bool:
        """Change columns of one batch job, if ``where`` holds; return whether it did."""
        columns = ", ".join(f"{name} = ?" for name in values)
        query = f"UPDATE job SET {columns} WHERE seq = ? AND {where}"
        return self._db.execute(query, (*values.values(), seq)).rowcount == 1

    def execute(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        """Run any other statement; return its rows."""
        return self._db.execute(statement, values).fetchall()


def _list(value: object) -> list[str]:
    assert isinstance(value, list)
    return value


def _dict(value: object) -> dict[str, dict[str, int]]:
    assert isinstance(value, dict)
    return value
