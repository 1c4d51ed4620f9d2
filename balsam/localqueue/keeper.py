"""The keeper of one batch job: runs its script, ends it when its time is over, and records how it went."""

import os
import select
import signal
import subprocess
import time
from contextlib import suppress

from balsam.localqueue.ledger import Entry, Ledger
from balsam.localqueue.turns import MARK, kill_leftovers, mark_of
from balsam.states import BatchJobEnd

__all__ = ["keep"]

#: Between SIGTERM and SIGKILL: launchers record meanwhile what their jobs were doing.
GRACE_SEC = 15.0


def keep(ledger: Ledger, number: int, launch: int) -> None:
    """Run a batch job to its end, if it is this process's to run."""
    with _Signals() as signals:
        if not ledger.claim(number, launch):
            return
        entry = ledger.get(number)
        assert entry is not None
        try:
            process = _start(ledger, entry)
        except OSError as error:
            ledger.finish(number, BatchJobEnd.FAILED, f"Its script could not be started: {error}")
            return
        is_over = signals.wait_for(process, entry.wall_time_min * 60)
        if process.poll() is None:
            _end(process, signals)
        kill_leftovers(mark_of(ledger, number))
    ledger.finish(number, *_ending(process.returncode, is_over=is_over, entry=entry, ledger=ledger))


def _start(ledger: Ledger, entry: Entry) -> "subprocess.Popen[bytes]":
    ends_at = time.time() + entry.wall_time_min * 60
    environ = {
        **ledger.environ(entry.id),
        MARK: mark_of(ledger, entry.id),
        "BALSAM_LOCALQUEUE_JOBID": str(entry.id),
        "BALSAM_LOCALQUEUE_END": f"{ends_at:.0f}",
    }
    with open(f"{entry.output}.output", "ab") as output:
        return subprocess.Popen(
            [entry.script],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=entry.cwd,
            env=environ,
            start_new_session=True,
        )


def _end(process: "subprocess.Popen[bytes]", signals: "_Signals") -> None:
    """Ask the script's process group to end; kill it when it does not."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        signals.wait_for(process, GRACE_SEC, hurry=False)
        if process.poll() is not None:
            return
    process.wait()


def _ending(code: int, *, is_over: bool, entry: Entry, ledger: Ledger) -> tuple[BatchJobEnd, str]:
    now = ledger.get(entry.id)
    if now is not None and now.is_cancelled:
        return BatchJobEnd.CANCELLED, "It was cancelled"
    if is_over:
        return BatchJobEnd.TIMEOUT, f"Its time of {entry.wall_time_min:g} min was over"
    if code:
        return BatchJobEnd.FAILED, f"Its script ended with code {code}"
    return BatchJobEnd.COMPLETED, ""


class _Signals:
    """Waits for the end of a process, a request to end it, or the end of its time: whichever comes first."""

    def __enter__(self) -> "_Signals":
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        self._is_asked = False
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._on_request)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        return self

    def __exit__(self, *_: object) -> None:
        signal.set_wakeup_fd(-1)
        os.close(self._read)
        os.close(self._write)

    def _on_request(self, *_: object) -> None:
        self._is_asked = True

    def wait_for(self, process: "subprocess.Popen[bytes]", seconds: float, *, hurry: bool = True) -> bool:
        """Wait; return whether the time was over first. With ``hurry``, a request ends the wait."""
        until = time.monotonic() + seconds
        while process.poll() is None and not (hurry and self._is_asked):
            left = until - time.monotonic()
            if left <= 0:
                return True
            if select.select([self._read], [], [], left)[0]:
                os.read(self._read, 512)
        return False
