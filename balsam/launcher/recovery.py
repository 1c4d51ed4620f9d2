"""Recognise launchers that are dead, and take over what they held.

An owner on this host is looked at directly (host, boot, pid, start time). What it left running here is killed
before its jobs are freed, so a job never runs twice at once on one host. Owners elsewhere have until their
lease ends.
"""

import logging
import os
import signal
from pathlib import Path

from balsam.client import Client
from balsam.launcher.journal import left_behind
from balsam.lib.processes import ProcessIdentity, is_alive, orphans_of
from balsam.schemas.sessions import SessionInfo

__all__ = ["recover"]

logger = logging.getLogger(__name__)


def recover(client: Client, log_dir: Path) -> int:
    """Free the jobs of dead owners; return how many."""
    alive = {info: is_alive(_identity(info)) for info in client.live_sessions()}
    dead = [info for info, is_here in alive.items() if is_here is False]
    expired = [info for info in alive if info.expires_sec < 0]
    others = {info.session_id for info in alive if info not in dead}
    for session_id, journal in left_behind(log_dir):
        if session_id not in others:
            reply = client.report(session_id, journal.read())
            logger.info("Replayed %d results that session %d could not report", reply.applied, session_id)
            journal.clear()
    for info in [*dead, *(info for info in expired if alive[info])]:
        _kill_orphans(info)
    freed = client.reap_expired() if expired else 0
    for info in dead:
        reason = f"Its {info.kind} on {info.host} (pid {info.pid}) has died"
        count = client.close_session(info.session_id, reason)
        logger.warning("%s: %d jobs are free again", reason, count)
        freed += count
    return freed


def _identity(info: SessionInfo) -> ProcessIdentity:
    return ProcessIdentity(info.host, info.boot_id, info.pid, info.start_time)


def _kill_orphans(info: SessionInfo) -> None:
    """Kill what a dead owner's jobs and hooks have left running on this host."""
    for pid in orphans_of("BALSAM_SESSION", info.mark):
        logger.warning("Killing process %d, left behind by session %d", pid, info.session_id)
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
