"""One hook's processes: a session of their own, waited for without polling, ended as a whole.

When `HookProcess.collect` returns, all that stayed in the hook's process group has ended or been killed.
"""

import contextlib
import errno
import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence

from balsam.lib.descendants import relatives, signal_relative
from balsam.lib.processes import kill_group
from balsam.processing.interruption import Interruption

__all__ = ["HookProcess"]

#: How long a killed process may stay (in uninterruptible I/O) before it is given up.
UNKILLABLE_SEC = 5.0


class HookProcess:
    """A started program that leads its own session; stdin is /dev/null, its output goes to one file."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        program: str,
        workdir: str,
        environ: Mapping[str, str],
        output: int,
        interruption: Interruption,
    ) -> None:
        """Start it; raises OSError or ValueError, and then nothing runs."""
        self._wake = threading.Event()
        self._has_ended = threading.Event()
        self._process = subprocess.Popen(
            argv,
            executable=program,
            cwd=workdir,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        interruption.wakes(self._wake)
        try:
            threading.Thread(target=self._watch, name=f"hook {self._process.pid}", daemon=True).start()
        except RuntimeError as error:
            kill_group(self._process.pid, signal.SIGKILL)
            self._process.wait()
            raise OSError(errno.EAGAIN, "no thread can be started to wait for it") from error

    def _watch(self) -> None:
        if hasattr(os, "waitid"):  # leaves it unreaped, so its group is still its own
            with contextlib.suppress(ChildProcessError):
                os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
        else:
            self._process.wait()
        self._has_ended.set()
        self._wake.set()

    def wait(self, timeout_sec: float) -> bool:
        """Wait until it ends, the time is over or the step is interrupted; say whether it has ended."""
        self._wake.wait(timeout_sec)
        return self._has_ended.is_set()

    def end(self, grace_sec: float) -> None:
        """Ask it, and all it has started, to end; kill what is left after ``grace_sec``."""
        self._signal(signal.SIGTERM, signal.SIGCONT)
        if not self._has_ended.wait(grace_sec):
            self._signal(signal.SIGKILL)
            self._has_ended.wait(UNKILLABLE_SEC)

    def _signal(self, *signals: int) -> None:
        others = relatives([self._process.pid])[self._process.pid]
        for sig in signals:
            kill_group(self._process.pid, sig)
            for relative in others:
                signal_relative(relative, sig)

    def collect(self) -> int | None:
        """Kill what it has left behind in its group and return its exit code, negative for a signal.

        None when not even SIGKILL ended it.
        """
        kill_group(self._process.pid, signal.SIGKILL)
        return self._process.wait() if self._has_ended.is_set() else None
