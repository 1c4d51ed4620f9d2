"""The warm interpreters of one worker: one for each application and environment, started on first need.

A warm interpreter forks the processes of jobs, which are children of the worker and outlive it: what becomes
of it harms no job. What is said of it is told once.
"""

import json
import math
import os
import selectors
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from balsam.exceptions import JobStartError
from balsam.launcher.process_start import ProcessStart
from balsam.launcher.runner import Ended, Runner
from balsam.schemas.jobs import AppCode

__all__ = ["WarmKey", "WarmPool"]

#: Interpreters that are kept; beyond, the one that was used longest ago is ended.
MAX_SERVERS = 8
#: After so long without a job an interpreter is ended.
IDLE_SEC = 300.0
#: How long importing may take.
IMPORT_SEC = 120.0
#: How long a fork may take.
REPLY_SEC = 10.0
#: How long an interpreter that cannot run Balsam is not tried again.
BROKEN_SEC = 10.0
#: So many deaths while importing: jobs get interpreters of their own.
MAX_DEATHS = 2
END_SEC = 2.0
_TAIL_BYTES = 2000
_NAME = "warm interpreter"


@dataclass(frozen=True, slots=True)
class WarmKey:
    """What jobs must have in common to be forked by one interpreter."""

    python: str
    app_id: int
    environ: frozenset[tuple[str, str]]


@dataclass(slots=True)
class _Server:
    name: str
    key: WarmKey
    app: AppCode
    link: socket.socket
    output: int
    used_at: float
    #: starting, up (it is Balsam's, and imports what the application does), or ready.
    state: str = "starting"
    #: It has imported files that may be edited.
    may_change: bool = False


class WarmPool:
    """Starts interpreters by ``runner``, and tells by ``note`` what is worth a line in the log."""

    def __init__(
        self, runner: Runner, note: Callable[[str], None], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._runner = runner
        self._note = note
        self._clock = clock
        self._servers: dict[WarmKey, _Server] = {}
        self._count = 0
        self._news = selectors.DefaultSelector()
        #: Why an application's jobs have interpreters of their own, by version.
        self._unusable: dict[tuple[WarmKey, int], str] = {}
        self._deaths: dict[tuple[WarmKey, int], int] = {}
        #: Why jobs cannot be run at all, and until when that is believed.
        self._broken: dict[WarmKey, tuple[str, float]] = {}

    def fileno(self) -> int:
        """File descriptor that becomes readable when :meth:`take_news` has something to do."""
        return self._news.fileno()

    @property
    def next_deadline(self) -> float:
        """When :meth:`take_news` has something to do in any case."""
        return min(map(_deadline, self._servers.values()), default=math.inf)

    def why_not(self, key: WarmKey, version: int) -> str:
        """Say why jobs of an application need interpreters of their own; '' when they do not."""
        return self._unusable.get((key, version), "")

    def fork(self, key: WarmKey, app: AppCode, start: ProcessStart, call: int) -> tuple[int, int] | None:
        """Fork a process for a job; None when that has to wait for news.

        Returns its pid and a pipe: the process ends unless it is told ``g`` by that, and then runs the call.
        Raises JobStartError, and OSError where the machine is short of something.
        """
        self._require_unbroken(key)
        server = self._servers.get(key)
        if server is None or server.app.version != app.version or self._is_stale(server):
            if server is not None:
                self._end(server)
            self._open(key, app, start)
            return None
        if server.state != "ready":
            return None
        server.used_at = self._clock()
        output = self._runner.starter.open_output(start)
        reader, gate = os.pipe()
        try:
            reply = self._ask(server, b"j", [output, call, reader])
        except OSError:  # it has just died, or hangs
            os.close(gate)
            self._end(server)
            self._open(key, app, start)
            return None
        finally:
            os.close(output)
            os.close(reader)
        if "pid" in reply:
            return reply["pid"], gate
        os.close(gate)
        raise OSError(reply["errno"], os.strerror(reply["errno"]))

    def take_news(self) -> bool:
        """Take in what interpreters say; True when waiting jobs should be tried again."""
        now = self._clock()
        has_news = False
        for selected, _ in self._news.select(0):
            server: _Server = selected.data
            before = server.state
            self._hear(server)
            has_news |= server.state != before or server.key not in self._servers
        for server in [server for server in self._servers.values() if _deadline(server) <= now]:
            if server.state != "ready":
                self._give_up(server, f"its imports take longer than {IMPORT_SEC:.0f} s")
                has_news = True
            self._end(server)
        return has_news

    def note_end(self, ended: Ended) -> bool:
        """Take in the end of a process; False when it was none of these."""
        return ended.key.startswith(_NAME)

    # -- one interpreter -----------------------------------------------------------------------------

    def _open(self, key: WarmKey, app: AppCode, start: ProcessStart) -> None:
        if not self._has_room():
            return  # one of those that are starting will be ready soon
        self._count += 1
        name = f"{_NAME} {self._count}"
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        output, file = os.memfd_create(name), os.memfd_create(app.name)
        try:
            with open(os.dup(file), "w", encoding="utf-8") as text:
                json.dump(asdict(app), text)
            socket.send_fds(ours, [b"a"], [file])
            argv = [key.python, "-P", "-m", "balsam.launcher.warm_server"]
            environ = dict(key.environ)
            self._runner.start(
                name,
                ProcessStart(
                    argv=argv,
                    workdir=start.workdir,
                    output="",
                    environ=environ,
                    streams=(theirs.fileno(), output),
                ),
            )
        except BaseException:
            ours.close()
            os.close(output)
            raise
        finally:
            theirs.close()
            os.close(file)
        ours.setblocking(False)
        server = self._servers[key] = _Server(name, key, app, ours, output, self._clock())
        self._news.register(ours, selectors.EVENT_READ, server)

    def _has_room(self) -> bool:
        """Make room for one more, if that takes no interpreter away before it has been of use."""
        if len(self._servers) >= MAX_SERVERS:
            ready = [server for server in self._servers.values() if server.state == "ready"]
            if not ready:
                return False
            self._end(min(ready, key=lambda server: server.used_at))
        return True

    def _end(self, server: _Server) -> None:
        """Let an interpreter go; the processes it has forked stay."""
        if self._servers.get(server.key) is server:
            del self._servers[server.key]
            self._news.unregister(server.link)
            server.link.close()
            os.close(server.output)
            self._runner.terminate([server.name], END_SEC)

    def _hear(self, server: _Server) -> None:
        try:
            message = server.link.recv(1 << 16)
        except BlockingIOError:
            return
        except OSError:
            message = b""
        if not message:
            self._note_death(server)
            self._end(server)
            return
        told = json.loads(message)
        server.state = told["state"]
        server.may_change = told.get("may_change", False)
        server.used_at = self._clock()
        if server.state == "unusable":
            self._give_up(server, told["reason"])
            self._end(server)

    def _note_death(self, server: _Server) -> None:
        """It is gone unasked: say what that means for the jobs that need it."""
        if server.state == "starting":
            why = (
                f"Cannot run jobs of {server.app.name} with {server.key.python}: {_last_line(server.output)} "
                f"It must have Balsam: `{server.key.python} -m pip install` it as here, or set another "
                "python_exe in the class."
            )
            self._broken[server.key] = (why, self._clock() + BROKEN_SEC)
        elif server.state == "up":
            which = (server.key, server.app.version)
            self._deaths[which] = self._deaths.get(which, 0) + 1
            if self._deaths[which] >= MAX_DEATHS:
                self._give_up(server, f"an interpreter dies of its imports: {_last_line(server.output)}")

    def _give_up(self, server: _Server, reason: str) -> None:
        self._unusable[server.key, server.app.version] = reason

    def _is_stale(self, server: _Server) -> bool:
        """Say whether it is of no use any more: a file that it has imported has changed, or it has died."""
        if server.state != "ready" or not server.may_change:
            return False
        try:
            changed = self._ask(server, b"c", [])["changed"]
        except OSError:
            return True
        if changed:
            self._note(f"{server.app.name} is read again: {changed} has changed")
        return bool(changed)

    def _ask(self, server: _Server, request: bytes, files: list[int]) -> dict[str, Any]:
        server.link.settimeout(REPLY_SEC)
        try:
            socket.send_fds(server.link, [request], files)
            reply = server.link.recv(1 << 16)
        finally:
            server.link.setblocking(False)
        if not reply:
            raise ConnectionResetError("it has died")
        found: dict[str, Any] = json.loads(reply)
        return found

    def _require_unbroken(self, key: WarmKey) -> None:
        reason, until = self._broken.get(key, ("", 0.0))
        if reason and self._clock() < until:
            raise JobStartError(reason)
        self._broken.pop(key, None)


def is_possible() -> bool:
    """Say whether this system can do it: macOS may kill a process that forks after it has loaded much."""
    return sys.platform == "linux" and hasattr(os, "memfd_create") and hasattr(socket, "send_fds")


def _deadline(server: _Server) -> float:
    return server.used_at + (IDLE_SEC if server.state == "ready" else IMPORT_SEC)


def _last_line(output: int) -> str:
    size = os.fstat(output).st_size
    lines = os.pread(output, _TAIL_BYTES, max(0, size - _TAIL_BYTES)).decode(errors="replace").split("\n")
    return next(
        (f"{line.strip().rstrip('.')}." for line in reversed(lines) if line.strip()), "it says nothing."
    )
