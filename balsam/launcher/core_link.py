"""The head's calls to the core: off the event loop, and patient when it is away.

Reports that cannot be delivered are kept, written to the journal, and delivered when the core answers again.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TypeVar

from balsam.client import Client
from balsam.exceptions import LoginNeededError, UnreachableError
from balsam.launcher.journal import Journal
from balsam.launcher.ledger import Ledger
from balsam.schemas.jobs import JobReport
from balsam.schemas.sessions import ReportReply

__all__ = ["CoreLink"]

logger = logging.getLogger(__name__)
T = TypeVar("T")

#: A report that takes longer than this goes to the journal while it waits.
_SLOW_SEC = 2.0
_RETRY_SEC = 1.0


class CoreLink:
    """Calls to the core from one thread, in order."""

    def __init__(self, client: Client, ledger: Ledger) -> None:
        self.client = client
        self._ledger = ledger
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="balsam-core")
        self._journal: Journal | None = None
        self._undelivered: list[JobReport] = []
        #: Since when the core has not answered, by the monotonic clock; None while it does.
        self.silent_since: float | None = None

    def use_journal(self, journal: Journal) -> None:
        """Say where undeliverable reports are kept."""
        self._journal = journal

    async def run(self, call: Callable[[], T]) -> T:
        """Run a call in the core's thread, again and again while it does not answer."""
        while True:
            future = asyncio.get_running_loop().run_in_executor(self._thread, call)
            try:
                reply = await self._patiently(future)
            except (UnreachableError, LoginNeededError) as error:  # a user can log in again meanwhile
                self._note_silence()
                logger.error("%s", error)
                await asyncio.sleep(_RETRY_SEC)
            else:
                self._note_answer()
                return reply

    async def _patiently(self, future: "asyncio.Future[T]") -> T:
        """Wait for a reply; while it is late, keep what is owed on disk."""
        while True:
            done, _ = await asyncio.wait([future], timeout=_SLOW_SEC)
            if done:
                return future.result()
            self._note_silence()

    def _note_silence(self) -> None:
        if self.silent_since is None:
            self.silent_since = time.monotonic()
            logger.warning(
                "What holds the jobs does not answer; running jobs go on, and their results are kept"
            )
        self.keep_on_disk()

    def keep_on_disk(self) -> None:
        """Write everything that is owed to the journal."""
        if self._journal is not None:
            owed = self._ledger.peek_reports(time.monotonic())
            if self._undelivered or owed:
                self._journal.write([*self._undelivered, *owed])

    def _note_answer(self) -> None:
        if self.silent_since is not None:
            away_sec = time.monotonic() - self.silent_since
            logger.warning("It answers again, after %.1f s", away_sec)
            self.silent_since = None

    async def report(self, session_id: int) -> ReportReply | None:
        """Report what the ledger owes; None when it owes nothing."""
        reports = self._ledger.take_reports(time.monotonic())
        if not reports:
            return None
        taken_at = time.monotonic()
        self._undelivered = reports
        reply = await self.run(
            lambda: self.client.report(session_id, _aged(reports, time.monotonic() - taken_at))
        )
        self._undelivered = []
        if self._journal is not None:
            self._journal.clear()
        return reply

    def close(self) -> None:
        """Give the core's connection back and end the thread."""
        self._thread.submit(self.client.transport.close)
        self._thread.shutdown()


def _aged(reports: list[JobReport], seconds: float) -> list[JobReport]:
    """The same reports, told ``seconds`` later."""
    if seconds < 0.01:
        return reports
    return [
        replace(report, steps=tuple(replace(step, age_sec=step.age_sec + seconds) for step in report.steps))
        for report in reports
    ]
