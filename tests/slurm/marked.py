"""End every process of a test cluster, found by a mark in its environment; also as ``marked.py MARK``.

As a program it waits for the end of its standard input first: when the tests die, so does their cluster.
"""

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

__all__ = ["MARK", "end_marked", "marked_pids"]

#: Environment variable that all processes of a cluster inherit; its value is the cluster's directory.
MARK = "BALSAM_TEST_SLURM"


def marked_pids(*variables: str) -> list[int]:
    """Processes of any user whose environment has all these ``NAME=value``; not this one."""
    wanted = {variable.encode() for variable in variables}
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):  # it ended meanwhile
            if wanted <= set((entry / "environ").read_bytes().split(b"\0")):
                found.append(int(entry.name))
    return found


def end_marked(*variables: str, timeout_sec: float = 10) -> None:
    """Kill them until none is left; what they start meanwhile, too."""
    give_up_at = time.monotonic() + timeout_sec
    while pids := marked_pids(*variables):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > give_up_at:
            raise TimeoutError(f"processes {pids} of {variables} do not end")
        time.sleep(0.01)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.stdin.read()
    end_marked(f"{MARK}={sys.argv[1]}")
