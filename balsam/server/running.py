"""The server of a database as a process: started, found again, and stopped.

What runs is written beside the database: host, pid and start time, so that no other process is taken for it.
"""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from balsam.exceptions import ConflictError, ServerError
from balsam.lib.atomic import write_atomically
from balsam.lib.processes import ProcessIdentity, identify, is_alive
from balsam.server.logs import log_path
from balsam.server.settings import ServerSettings

__all__ = ["Served", "refuse_second", "start", "status", "stop", "tell"]

_FILE = "rest-server.json"
_START_SEC = 30.0
#: Longer than a server takes to finish what is under way.
_STOP_SEC = 45.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A server that was started: the process, and where it listens."""

    process: ProcessIdentity
    address: str
    log: str

    @property
    def is_running(self) -> bool | None:
        """Whether it runs; None where that cannot be seen from here."""
        return is_alive(self.process)


def status(db_path: Path) -> Served | None:
    """Return the server of a database that was started last, dead or alive; None if there was none."""
    try:
        values = json.loads((db_path / _FILE).read_text(encoding="utf-8"))
        process = ProcessIdentity(**values["process"])
        return Served(process=process, address=values["address"], log=values["log"])
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValueError, TypeError, KeyError) as error:
        raise ServerError(
            f"Cannot read {db_path / _FILE}: {error!r}. Remove it if no server runs."
        ) from error


def tell(db_path: Path, address: str, log: str) -> None:
    """Write down that this process serves a database."""
    me = identify(os.getpid())
    assert me is not None
    served = {"process": asdict(me), "address": address, "log": log}
    write_atomically(db_path / _FILE, json.dumps(served) + "\n", mode=0o600)


def refuse_second(db_path: Path) -> None:
    """Raise ConflictError when a server runs, or may run where this cannot be seen from here."""
    known = status(db_path)
    if known is not None and known.is_running is not False:
        raise ConflictError(
            f"The server runs already, on {known.process.host} (pid {known.process.pid}): {known.address}. "
            f"`balsam server down -p {db_path}` stops it."
        )


def start(db_path: Path, settings: ServerSettings) -> Served:
    """Start the server of a database in the background; return when it answers.

    Raises ConflictError when one runs, ServerError when it does not come up.
    """
    refuse_second(db_path)
    log = log_path(db_path)
    log.parent.mkdir(exist_ok=True)
    first_words = log.with_suffix(".start")
    with open(first_words, "wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "balsam.server", str(db_path), json.dumps(asdict(settings))],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    until = time.monotonic() + _START_SEC
    while time.monotonic() < until:
        served = status(db_path)
        if served is not None and served.process.pid == process.pid:
            return served
        if process.poll() is not None:
            break
        time.sleep(0.05)
    process.kill()
    raise ServerError(f"The server did not come up; the end of {first_words} says why:\n{_tail(first_words)}")


def stop(db_path: Path) -> bool:
    """Stop the server; False when none ran. Raises ConflictError when it runs on another host."""
    served = status(db_path)
    if served is None or served.is_running is False:
        return False
    if served.is_running is None:
        raise ConflictError(f"The server runs on {served.process.host}: type `balsam server down` there.")
    for number in (signal.SIGTERM, signal.SIGKILL):
        os.kill(served.process.pid, number)
        until = time.monotonic() + _STOP_SEC
        while is_alive(served.process) and time.monotonic() < until:
            time.sleep(0.05)
        if not is_alive(served.process):
            break
    return True


def _tail(path: Path) -> str:
    return "\n".join(path.read_text(errors="replace").splitlines()[-8:])
