"""Which batch jobs a command of a fake batch system sees, and at what times."""

import time
from functools import lru_cache

from balsam.selftest.fakes.ledger import Job
from balsam.selftest.fakes.schedulers import Call

__all__ = ["account_of", "listed", "shown_clock", "shown_time"]

#: What a flood adds to a listing.
_FLOOD = 100_000


def listed(call: Call, user: str = "", *, ended_for_sec: float = 0.0) -> list[Job]:
    """Return the batch jobs of a user ('' is all), also those that ended so recently."""
    now = time.time()
    jobs = call.cluster.ledger.jobs(
        "NOT is_forgotten AND listed_from <= ? AND (state <> 'ended' OR ended > ?)", now, now - ended_for_sec
    )
    jobs = list({job.id: job for job in jobs}.values())
    if call.prank("flood"):
        jobs += [_made_up(number, user or "somebody", now) for number in range(_FLOOD)]
    return [job for job in jobs if user in ("", job.user)]


def account_of(call: Call, name: str = "", *, with_duplicates: bool = False) -> list[Job]:
    """Return the batch jobs of a name, '' is any, from the account: of an id the youngest, or all."""
    jobs = call.cluster.ledger.jobs("NOT is_forgotten AND listed_from <= ?", time.time())
    found = [job for job in jobs if name in ("", job.name)]
    return found if with_duplicates else list({job.id: job for job in found}.values())


def shown_clock(seconds: float) -> str:
    """Return a duration as HH:MM:SS."""
    whole = int(seconds)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}"


def shown_time(call: Call, layout: str, seconds: float) -> str:
    """Write a time, of the zone of whoever calls, as the batch system's clock shows it."""
    prank = call.prank("clock-ahead", "clock-behind")
    is_utc = call.environ.get("TZ", "").startswith("UTC")
    return _written(layout, seconds + (prank.seconds if prank else 0.0), is_utc=is_utc)


@lru_cache(maxsize=64)
def _written(layout: str, seconds: float, *, is_utc: bool) -> str:
    return time.strftime(layout, time.gmtime(seconds) if is_utc else time.localtime(seconds))


def _made_up(number: int, user: str, now: float) -> Job:
    values: dict[str, object] = dict.fromkeys(Job.__slots__, "")
    values.update(
        seq=0, id=5_000_000 + number, name=f"flood{number}", user=user, queue="flood", project="flood",
        num_nodes=1, minutes=10, script="/flood.sh", cwd="/", state="queued", submitted=now, listed_from=now,
        started=None, ended=None, launch=0, supervisor=None, exit_code=None, is_array=0, is_forgotten=0,
    )  # fmt: skip
    return Job(tuple(values.values()))
