"""Tell whether a cluster's server runs on this host, whatever `postmaster.pid` says.

A pid counts only while its process is a PostgreSQL server that stands in the cluster's folder: after a
reboot, or a kill -9, the number may be anybody's.
"""

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from balsam.exceptions import DatabaseError
from balsam.lib.waiting import wait_for

PID_FILE = "postmaster.pid"
_PROGRAM = "postgres"


@dataclass(frozen=True)
class PidFile:
    """What a server writes about itself; ``status`` is "ready" once it takes connections."""

    pid: int
    port: int
    socket_dir: str
    status: str


def read_pid_file(data_dir: Path) -> PidFile | None:
    """Read `postmaster.pid`; None if there is none, or not yet enough in it."""
    # Lines: pid, data directory, start time, port, socket directory, address, shared memory, status
    # https://www.postgresql.org/docs/current/storage-file-layout.html, src/include/utils/pidfile.h
    try:
        lines = (data_dir / PID_FILE).read_text(encoding="utf-8", errors="replace").splitlines()
        padded = lines + [""] * (8 - len(lines))
        return PidFile(abs(int(padded[0])), int(padded[3] or 0), padded[4].strip(), padded[7].strip())
    except (FileNotFoundError, ValueError):
        return None


def running_postmaster(data_dir: Path) -> int | None:
    """Return the pid of the server that runs on ``data_dir`` on this host, ready or not; None if none."""
    found = read_pid_file(data_dir)
    return found.pid if found and is_postmaster(found.pid, data_dir) else None


def is_postmaster(pid: int, data_dir: Path) -> bool:
    """Say whether ``pid`` is the first process of the server on ``data_dir``."""
    try:
        process = psutil.Process(pid)
        return _stands_in(process, data_dir) and not _is_backend(process)
    except psutil.Error:
        return False


def orphans(data_dir: Path) -> list[psutil.Process]:
    """Find the processes of a server whose first process is gone."""
    return [process for process in _server_processes(data_dir) if _is_backend(process)]


def clear_remains(data_dir: Path, *, patience_sec: float = 15.0) -> None:
    """End what a killed server left running, and remove its `postmaster.pid`.

    To be called only when `running_postmaster` is None. Raises DatabaseError when a process does not end.
    """
    if not (data_dir / PID_FILE).exists():
        return
    _end(lambda: orphans(data_dir), signal.SIGQUIT, patience_sec / 3)
    if not _end(lambda: orphans(data_dir), signal.SIGKILL, patience_sec):
        pids = ", ".join(str(process.pid) for process in orphans(data_dir))
        raise DatabaseError(
            f"The server of {data_dir.parent} was killed, and its processes {pids} do not end.\n"
            "A new one must not start beside them. Wait for them, or end them, and try again."
        )
    (data_dir / PID_FILE).unlink(missing_ok=True)


def _end(find: Callable[[], list[psutil.Process]], sig: signal.Signals, patience_sec: float) -> bool:
    for process in find():
        try:
            os.kill(process.pid, sig)
        except ProcessLookupError:
            continue
    return wait_for(lambda: not find(), patience_sec)


def _server_processes(data_dir: Path) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        try:
            if _stands_in(process, data_dir):
                yield process
        except psutil.Error:  # it ended meanwhile, or is somebody else's
            continue


def _stands_in(process: psutil.Process, data_dir: Path) -> bool:
    """Say whether a living PostgreSQL process has ``data_dir`` as its working directory."""
    if not process.name().startswith(_PROGRAM) or process.status() == psutil.STATUS_ZOMBIE:
        return False
    try:
        return os.path.samefile(process.cwd(), data_dir)
    except psutil.AccessDenied:
        return str(data_dir) in process.cmdline()
    except OSError:
        return False


def _is_backend(process: psutil.Process) -> bool:
    """Tell the helpers, which name their work after a colon, from the first process."""
    words = process.cmdline()
    return bool(words) and words[0].startswith(f"{_PROGRAM}:")
