"""Run one batch job of a fake batch system to its end, keep its wall time, and record how it went."""

import os
import signal
import sys
import time
from collections.abc import Sequence

from balsam.selftest.fakes.cluster import Cluster
from balsam.selftest.fakes.ledger import Job, Ledger
from balsam.selftest.fakes.schedulers import dialect

__all__ = ["main"]

_SIGNALS = (signal.SIGCHLD, signal.SIGTERM, signal.SIGUSR1, signal.SIGALRM)


def main(argv: Sequence[str]) -> int:
    """Run one launch of one batch job, if it is this process's to run: DIR SEQ LAUNCH."""
    directory, seq, launch = argv[0], int(argv[1]), int(argv[2])
    # a signal waits for `sigwait` from here on, so that none is missed
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    with Ledger(directory) as ledger:
        cluster = Cluster(ledger)
        with ledger.alone():
            mine = f"state = 'running' AND supervisor IS NULL AND launch = {launch}"
            if not ledger.change(seq, mine, supervisor=os.getpid()):
                return 0
            (job,) = ledger.jobs("seq = ?", seq)
        status, is_over = _run(cluster, job)
        _record(ledger, job, status, is_over=is_over)
        cluster.pass_time()
    return 0


def _run(cluster: Cluster, job: Job) -> tuple[int, bool]:
    """Return the script's wait status, and whether its time was over."""
    pid = _start(cluster, job)
    until = time.monotonic() + job.minutes * cluster.settings.minute_sec
    received = signal.SIGTERM if job.asked else None
    while received is None:
        signal.setitimer(signal.ITIMER_REAL, max(0.001, until - time.monotonic()))
        got = signal.sigwait(_SIGNALS)
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            _signal_group(pid, signal.SIGKILL)
            return status, False
        received = None if got == signal.SIGCHLD else signal.Signals(got)
    return _end(pid, received, cluster.settings.grace_sec), received == signal.SIGALRM


def _start(cluster: Cluster, job: Job) -> int:
    """Start the script in a session of its own; what cannot be started ends with 127."""
    environ = {
        **cluster.ledger.environ(job.seq),
        **dialect(cluster.settings.scheduler).environ(cluster, job),
    }
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setsid()
        for caught in (*_SIGNALS, signal.SIGINT, signal.SIGQUIT):
            signal.signal(caught, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        os.chdir(job.cwd)
        for number, path in ((1, job.stdout), (2, job.stderr)):
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644), number)
        os.execve(cluster.spool(job.seq), [job.script], environ)
    except OSError as error:
        os.write(2, f"{job.script}: {error}\n".encode())
    os._exit(127)


def _end(pid: int, received: signal.Signals, grace_sec: float) -> int:
    """End a script and all it has started: gently unless its node is lost; return its wait status."""
    from balsam.lib.descendants import relatives, signal_relative  # only here, as it takes 20 ms

    others = relatives({pid})[pid]
    steps = (signal.SIGKILL,) if received == signal.SIGUSR1 else (signal.SIGTERM, signal.SIGKILL)
    for step in steps:
        _signal_group(pid, step)
        for other in others | relatives({pid})[pid]:
            signal_relative(other, step)
        status = _wait(pid, grace_sec)
        if status is not None:
            break
    _signal_group(pid, signal.SIGKILL)
    for other in others | relatives({pid})[pid]:
        signal_relative(other, signal.SIGKILL)
    return os.waitpid(pid, 0)[1] if status is None else status


def _wait(pid: int, seconds: float) -> int | None:
    """Return the wait status of a process that ends in time, else None."""
    until = time.monotonic() + seconds
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return status
        left = until - time.monotonic()
        if left <= 0:
            return None
        signal.setitimer(signal.ITIMER_REAL, left)
        signal.sigwait(_SIGNALS)


def _signal_group(pid: int, number: int) -> None:
    try:
        os.killpg(pid, number)
    except OSError:  # nobody is left in it
        return


def _record(ledger: Ledger, job: Job, status: int, *, is_over: bool) -> None:
    code = os.waitstatus_to_exitcode(status)
    with ledger.alone():
        (now,) = ledger.jobs("seq = ?", job.seq)
        if now.asked == "requeue":
            ledger.change(job.seq, state="queued", started=None, nodes="", asked="", supervisor=None)
            return
        end = now.asked or ("timeout" if is_over else "failed" if code else "completed")
        ledger.change(job.seq, state="ended", end=end, exit_code=code, ended=time.time())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
