"""What a head does by the clock: keep the lease, stop in time, take over from launchers that have died."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from balsam.exceptions import UnreachableError
from balsam.launcher.core_link import CoreLink
from balsam.launcher.recovery import recover

__all__ = ["give_up_in_time", "keep_lease", "keep_time", "watch_neighbours"]

_HEARTBEAT_SEC = 60.0
_NEIGHBOURS_SEC = 5.0


async def keep_lease(core: CoreLink, session_id: int) -> None:
    """Renew the lease three times in its length; raises LeaseLostError when it is gone."""
    while True:
        await asyncio.sleep(_HEARTBEAT_SEC)
        await core.run(lambda: core.client.heartbeat(session_id))


async def watch_neighbours(core: CoreLink, log_dir: Path, on_freed: Callable[[], None]) -> None:
    """Take over from launchers that die while this one runs."""
    while True:
        await asyncio.sleep(_NEIGHBOURS_SEC)
        if await core.run(lambda: recover(core.client, log_dir)):
            on_freed()


async def keep_time(left_sec: float | None, grace_sec: float, stop: Callable[[str], None]) -> None:
    """Stop when the time is over but for the grace that jobs get."""
    if left_sec is not None:
        await asyncio.sleep(left_sec - grace_sec)
        stop("The launcher ran out of time")


async def give_up_in_time(core: CoreLink, stopped: asyncio.Event, grace_sec: float) -> None:
    """Once told to stop, do not wait for a database that is away: the journal has what is owed."""
    await stopped.wait()
    while True:
        await asyncio.sleep(grace_sec + 2)
        if core.silent_since is not None:
            core.client.transport.set_patience(False)
            core.keep_on_disk()
            raise UnreachableError(
                "The launcher had to stop while what holds the jobs was away. Its last results are kept "
                "beside the logs, and the next launcher here reports them."
            )
