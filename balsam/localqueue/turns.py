"""Whose turn it is: start queued batch jobs in order, and account for those whose keeper has died."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

from balsam.lib.processes import is_alive, orphans_of
from balsam.localqueue.ledger import Entry, Ledger
from balsam.states import BatchJobEnd

__all__ = ["MARK", "kill_leftovers", "mark_of", "take_turns"]

#: Names the batch job in the environment of its processes.
MARK = "BALSAM_LOCALQUEUE_JOB"
#: A keeper that has not claimed its batch job by then never came.
_KEEPER_SEC = 60.0


def mark_of(ledger: Ledger, number: int) -> str:
    """Return what `MARK` is in the environment of a batch job's processes."""
    return f"{ledger.path}:{number}"


def take_turns(ledger: Ledger, slots: int) -> None:
    """Start the batch jobs whose turn it is, first come first served, in at most ``slots`` slots."""
    with ledger.alone():
        dead = [entry for entry in ledger.entries() if _has_lost_keeper(entry)]
        for entry in dead:
            ledger.finish(entry.id, BatchJobEnd.NODE_FAIL, "Its keeper was killed, or this machine restarted")
        for entry in ledger.entries():
            if _keeper_never_came(entry):
                ledger.put_back(entry.id)
        entries = ledger.entries()
        free = slots - sum(_size(entry, slots) for entry in entries if entry.state == "running")
        launches = []
        for entry in entries:
            if entry.state != "queued":
                continue
            free -= _size(entry, slots)
            if free < 0:
                break  # nobody overtakes: a large one would wait for ever
            launches.append((entry.id, ledger.give_to_keeper(entry.id)))
    for entry in dead:
        kill_leftovers(mark_of(ledger, entry.id))
    for number, launch in launches:
        _start_keeper(ledger, number, launch, slots)


def kill_leftovers(mark: str) -> None:
    """Kill every process of a batch job that is left."""
    while pids := orphans_of(MARK, mark):
        for pid in pids:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)  # until the kernel has ended them


def _size(entry: Entry, slots: int) -> int:
    """Return how many slots it takes; one that wants more than there are gets all."""
    return min(entry.num_nodes, slots)


def _has_lost_keeper(entry: Entry) -> bool:
    identity = entry.identity
    return entry.state == "running" and identity is not None and is_alive(identity) is False


def _keeper_never_came(entry: Entry) -> bool:
    waited = entry.state == "running" and entry.keeper is None and entry.started is not None
    return waited and abs(time.time() - (entry.started or 0)) > _KEEPER_SEC


def _start_keeper(ledger: Ledger, number: int, launch: int, slots: int) -> None:
    """Start a keeper that nothing of this process, its terminal or its login can reach."""
    words = ["keep", str(number), str(launch), "--slots", str(slots), "--ledger", str(ledger.path)]
    subprocess.Popen(
        [sys.executable, "-P", "-m", "balsam.localqueue", *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        start_new_session=True,
    )
