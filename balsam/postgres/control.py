"""Start and stop the processes of a server.

The server belongs to nobody's session, terminal or job: it outlives whoever starts it. A start that fails
says why in the server's own words.
"""

import os
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from balsam.exceptions import DatabaseError
from balsam.lib.processes import identify, is_alive
from balsam.lib.waiting import wait_for
from balsam.postgres.accounts import Account
from balsam.postgres.binaries import Binaries
from balsam.postgres.layout import Layout
from balsam.postgres.messages import reason
from balsam.postgres.postmaster import is_postmaster, read_pid_file

#: Recovery after a crash replays at most `max_wal_size`.
START_SEC = 300.0
STOP_SEC = 60.0
#: Starts "$@" in the background and tells its pid; what it prints goes to the log.
_SPAWN = '"$@" </dev/null >&2 & echo $!'
#: The environment of the server: neither the caller's PG* settings nor marks of the job it may run in.
_KEPT_VARIABLES = ("PATH", "HOME", "USER", "LOGNAME", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR")
_LARGEST_STARTUP_LOG = 1_000_000


class StartFailed(DatabaseError):
    """The server did not start."""


def server_environment() -> dict[str, str]:
    """Return the environment in which programs of the server run."""
    return {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ} | {"LC_ALL": "C"}


def start_server(layout: Layout, binaries: Binaries, account: Account) -> int:
    """Start the server and return the pid of its first process once it takes connections.

    Raises StartFailed, with the end of its log, when it ends before that, and DatabaseError when it takes
    more than `START_SEC`.
    """
    sizes = _log_sizes(layout)
    pid = _spawn(layout, account.command(binaries.path("postgres"), "-D", str(layout.data_dir)), account)
    if not wait_for(lambda: _is_ready(layout, pid) or identify(pid) is None, START_SEC):
        raise DatabaseError(
            f"The server of {layout.root} (process {pid}) still prepares itself after {START_SEC:.0f} s.\n"
            f"{layout.server_log_dir} tells what it does. Wait for it with `balsam server --connect`."
        )
    if not _is_ready(layout, pid):
        raise StartFailed(
            f"The server of {layout.root} did not start: {_reason_in_logs(layout, sizes)}\n"
            f"See {layout.startup_log} and {layout.server_log_dir}, mend what they name, and run"
            " `balsam server --connect`."
        )
    return pid


def wait_until_ready(layout: Layout, pid: int) -> bool:
    """Wait for a server that somebody else has started; False when it ended instead."""
    wait_for(lambda: _is_ready(layout, pid) or not is_postmaster(pid, layout.data_dir), START_SEC)
    return _is_ready(layout, pid)


def stop_server(layout: Layout, pid: int) -> None:
    """End the server in order: its clients are cut off, everything is on disk when this returns.

    Raises DatabaseError when its processes still run after `STOP_SEC`.
    """
    server = identify(pid)
    if server is None:
        return
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGINT)
    if not wait_for(lambda: not is_alive(server), STOP_SEC):
        raise DatabaseError(
            f"The server of {layout.root} (process {pid}) has not stopped within {STOP_SEC:.0f} s.\n"
            f"It may be writing; {layout.server_log_dir} tells. Run `balsam server --stop` again."
        )


def _spawn(layout: Layout, command: list[str], account: Account) -> int:
    _shorten(layout.startup_log)
    with open(layout.startup_log, "a", encoding="utf-8") as log:
        os.fchmod(log.fileno(), 0o600)
        started = subprocess.run(
            ["/bin/sh", "-c", _SPAWN, "sh", *command],
            stdout=subprocess.PIPE,
            stderr=log,
            cwd="/",
            env=server_environment(),
            start_new_session=True,
            timeout=60,
            check=True,
            **account.process_owner,
        )
    return int(started.stdout)


def _is_ready(layout: Layout, pid: int) -> bool:
    found = read_pid_file(layout.data_dir)
    return found is not None and found.pid == pid and found.status == "ready" and identify(pid) is not None


def _shorten(log: Path) -> None:
    if log.exists() and log.stat().st_size > _LARGEST_STARTUP_LOG:
        log.write_text("", encoding="utf-8")


def _logs(layout: Layout) -> list[Path]:
    return [layout.startup_log, *layout.server_log_dir.glob("*.log")]


def _log_sizes(layout: Layout) -> Mapping[Path, int]:
    return {log: log.stat().st_size for log in _logs(layout) if log.exists()}


def _reason_in_logs(layout: Layout, sizes: Mapping[Path, int]) -> str:
    """Return what tells most among the lines that the logs have got since ``sizes`` were taken."""
    added = ""
    for log in _logs(layout):
        if log.exists():
            added += log.read_bytes()[sizes.get(log, 0) :].decode(errors="replace")
    return reason(added)
