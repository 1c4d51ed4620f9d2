"""Look after the tunnel of one remote, in the background: `python -m balsam.remote.watcher NAME`.

It opens a connection that was lost, and follows a server that has moved. What asks for a password is left to
the user, unless a program answers. It ends when the remote is disconnected or removed.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

from balsam.exceptions import BalsamError, LoginRefusedError
from balsam.lib.atomic import write_atomically
from balsam.lib.file_locks import file_lock
from balsam.lib.processes import ProcessIdentity, identify, is_alive
from balsam.lib.waiting import wait_for
from balsam.remote import registry
from balsam.remote.prompts import prompts_for
from balsam.remote.registry import Remote
from balsam.remote.tunnel import bring_up, is_answered, login_master

#: Longer than a login that a program answers.
_PATIENCE_SEC = 180.0
_LONGEST_PAUSE_SEC = 300.0
_END_SEC = 10.0
_LARGEST_LOG = 1_000_000


@contextmanager
def only_one(remote: Remote) -> Iterator[None]:
    """Hold the right to change the tunnel of a remote; raises TimeoutError."""
    with file_lock(remote.directory / ".lock", _PATIENCE_SEC):
        yield


def read_watcher(remote: Remote) -> ProcessIdentity | None:
    """Return the process that looks after the tunnel; None if there is none."""
    try:
        identity = ProcessIdentity(**json.loads(_record(remote).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return identity if is_alive(identity) else None


def start_watcher(remote: Remote) -> None:
    """Start one, unless it runs."""
    if read_watcher(remote) is not None:
        return
    log_path = remote.directory / "tunnel.log"
    if log_path.exists() and log_path.stat().st_size > _LARGEST_LOG:
        log_path.unlink()
    with open(log_path, "a", encoding="utf-8") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "balsam.remote.watcher", remote.name],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            start_new_session=True,
        )
    identity = identify(process.pid)
    if identity is not None:
        write_atomically(_record(remote), json.dumps(asdict(identity)) + "\n")


def stop_watcher(remote: Remote) -> None:
    """End the process and wait for that."""
    watcher = read_watcher(remote)
    if watcher is not None:
        with suppress(ProcessLookupError):
            os.kill(watcher.pid, signal.SIGTERM)
        if not wait_for(lambda: not is_alive(watcher), _END_SEC):
            os.kill(watcher.pid, signal.SIGKILL)
    _record(remote).unlink(missing_ok=True)


def read_trouble(remote: Remote) -> str:
    """Return what keeps the watcher from its work; "" if nothing does."""
    try:
        return _trouble(remote).read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def note_trouble(remote: Remote, trouble: str) -> None:
    """Write down what is wrong, for `balsam remote ls`; "" when all is well."""
    if trouble:
        write_atomically(_trouble(remote), trouble + "\n")
    else:
        _trouble(remote).unlink(missing_ok=True)


def watch(name: str) -> None:
    """Look after the tunnel until this process is told to end, or is not the one in charge."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))  # ends a login that is under way, too
    failures = 0
    is_refused = False
    while True:
        remote = registry.load(name)
        time.sleep(min(remote.check_sec * 2**failures, max(_LONGEST_PAUSE_SEC, remote.check_sec)))
        watcher = read_watcher(remote)
        if watcher is None or watcher.pid != os.getpid():
            return
        is_refused = is_refused and not login_master(remote).is_open()
        if is_refused:  # another wrong answer might close the account
            continue
        try:
            with only_one(remote):
                trouble = _look_after(remote)
            failures = 0
        except LoginRefusedError as error:
            is_refused = True
            trouble = f"{_first_line(error)} Type: balsam remote connect {name}"
        except (BalsamError, TimeoutError) as error:
            failures = min(failures + 1, 8)
            trouble = _first_line(error)
        if trouble != read_trouble(remote):
            note_trouble(remote, trouble)
            _log(trouble or "all is well")


def _look_after(remote: Remote) -> str:
    """Have the tunnel be right; returns what is wrong with the server behind it."""
    if not login_master(remote).is_open():
        _log(f"the connection to {remote.destination.host} was lost")
    tunnel = bring_up(remote, prompts_for(remote.answer_with, is_attended=False))
    if is_answered(tunnel):
        return ""
    return f"no server runs at {remote.destination.path} on {tunnel.host}, port {tunnel.port}"


def _log(text: str) -> None:
    print(time.strftime("%Y-%m-%d %H:%M:%S"), text, flush=True)


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def _record(remote: Remote) -> Path:
    return remote.directory / "watcher.json"


def _trouble(remote: Remote) -> Path:
    return remote.directory / "trouble"


if __name__ == "__main__":
    try:
        watch(sys.argv[1])
    except BalsamError as gone:  # the remote was removed
        print(gone, flush=True)
