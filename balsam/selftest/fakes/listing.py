"""Which batch jobs a command of a fake batch system sees, and at what times."""

import time
from functools import lru_cache

from balsam.selftest.fakes.ledger import Job
from balsam.selftest.fakes.schedulers import Call

__all__ = ["account_of", "listed", "shown_time"]

#: What a flood adds to a listing.
_FLOOD = 100_000


def listed(call: Call, user: str = "", *, ended_for_sec: float = 0.0) -> list[Job]:
    """Return the batch jobs of a user ('' is all), also those that ended so recently."""
    now = time.time()
    jobs = call.cluster.ledger.jobs(
        "NOT is_forgotten AND listed_from <= ? AND (state <> 'ended' OR ended > ?)", now, now - ended_for_sec
    )
    if call.prank("flood"):
        jobs += [_made_up(number, user or "somebody", now) for number in range(_FLOOD)]
    return [job for job in jobs if user in ("", job.user)]


def account_of(call: Call, *, since: float = 0.0) -> list[Job]:
    """Return the batch jobs that had not ended at a time, from the account."""
    return call.cluster.ledger.jobs(
        "NOT is_forgotten AND listed_from <= ? AND (ended IS NULL OR ended >= ?)", time.time(), since
    )


def shown_time(call: Call, layout: str, seconds: float) -> str:
    """Write a local time as the batch system's clock shows it."""
    prank = call.prank("clock-ahead", "clock-behind")
    return _written(layout, seconds + (prank.seconds if prank else 0.0))


@lru_cache(maxsize=64)
def _written(layout: str, seconds: float) -> str:
    return time.strftime(layout, time.localtime(seconds))


def _made_up(number: int, user: str, now: float) -> Job:
    values: dict[str, object] = dict.fromkeys(Job.__slots__, "")
    values.update(
        seq=0, id=5_000_000 + number, name=f"flood{number}", user=user, queue="flood", project="flood",
        num_nodes=1, minutes=10, script="/flood.sh", cwd="/", state="queued", submitted=now, listed_from=now,
        started=None, ended=None, launch=0, supervisor=None, exit_code=None, is_array=0, is_forgotten=0,
    )  # fmt: skip
    return Job(tuple(values.values()))
