"""The server of a database as a process: started, found again, and stopped.

What runs is written beside the database: host, pid and start time, so that no other process is taken for it.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from balsam.exceptions import ConflictError, ServerError
from balsam.lib.atomic import write_atomically
from balsam.lib.processes import ProcessIdentity, identify, is_alive

__all__ = ["Served", "serve", "start", "status", "stop"]

_FILE = "rest-server.json"
_START_SEC = 30.0
_STOP_SEC = 15.0


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
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError) as error:
        raise ServerError(
            f"Cannot read {db_path / _FILE}: {error!r}. Remove it if no server runs."
        ) from error


def start(db_path: Path, host: str, port: int, tls: tuple[str, str] | None = None) -> Served:
    """Start the server of a database in the background; return when it answers.

    ``port`` 0 takes a free one. Raises ConflictError when one runs, ServerError when it does not come up.
    """
    known = status(db_path)
    if known is not None and known.is_running is not False:
        raise ConflictError(
            f"The server runs already, on {known.process.host} (pid {known.process.pid}): {known.address}. "
            "`balsam server down` stops it."
        )
    log = db_path / "log" / "rest-server.log"
    log.parent.mkdir(exist_ok=True)
    words = [str(db_path), host, str(port), *(tls or ())]
    with open(log, "ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "balsam.server", *words],
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
    raise ServerError(f"The server did not come up; the end of {log} says why:\n{_tail(log)}")


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


def serve(db_path: Path, host: str, port: int, tls: tuple[str, str] | None = None) -> None:
    """Serve a database in this process until it is told to end."""
    import uvicorn

    from balsam.server.app import create_app

    listening = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    scheme = "https" if tls else "http"
    shown = f"[{host}]" if ":" in host else host
    me = identify(os.getpid())
    assert me is not None
    served = {
        "process": asdict(me),
        "address": f"{scheme}://{shown}:{listening.getsockname()[1]}",
        "log": str(db_path / "log" / "rest-server.log"),
    }
    files = {"ssl_certfile": tls[0], "ssl_keyfile": tls[1]} if tls else {}
    config = uvicorn.Config(create_app(), log_level="info", server_header=False, **files)  # type: ignore[arg-type]
    config.load()
    write_atomically(db_path / _FILE, json.dumps(served) + "\n", mode=0o600)
    uvicorn.Server(config).run(sockets=[listening])


def _tail(path: Path) -> str:
    return "\n".join(path.read_text(errors="replace").splitlines()[-8:])
