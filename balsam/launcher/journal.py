"""Results on disk while the database is away, so that not even the launcher's own death loses them.

One file per session beside the logs, one JSON report a line; it exists only while there is something in it.
A report is replayed under the session that made it, so the core refuses what has been superseded.
"""

import json
import os
import re
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from balsam.schemas.jobs import JobReport, Step
from balsam.states import JobState

__all__ = ["Journal", "left_behind"]

_NAME = re.compile(r"launcher_session_(\d+)\.journal")


class Journal:
    """The journal of one session. Times are dated by the wall clock of this host, for want of a database."""

    def __init__(self, directory: Path, session_id: int) -> None:
        self.path = directory / f"launcher_session_{session_id}.journal"
        self._exists = self.path.exists()

    def write(self, reports: Iterable[JobReport]) -> None:
        """Replace the journal by these reports, on disk when this returns."""
        now = time.time()
        text = "".join(json.dumps(_record(report, now)) + "\n" for report in reports)
        fresh = self.path.with_suffix(".new")
        with open(fresh, "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self.path)
        self._exists = True

    def clear(self) -> None:
        """Remove the journal: everything in it has been reported."""
        if self._exists:
            self.path.unlink(missing_ok=True)
            self._exists = False

    def read(self) -> list[JobReport]:
        """Return the reports; a line torn by a crash ends the list."""
        now = time.time()
        reports = []
        try:
            lines = self.path.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []
        for line in lines:
            try:
                reports.append(_parse(json.loads(line), now))
            except (ValueError, KeyError, TypeError):
                break
        return reports


def left_behind(directory: Path) -> Iterator[tuple[int, Journal]]:
    """Yield (session id, journal) for every journal in a directory."""
    for path in sorted(directory.glob("launcher_session_*.journal")):
        if match := _NAME.fullmatch(path.name):
            yield int(match[1]), Journal(directory, int(match[1]))


def _record(report: JobReport, now: float) -> dict[str, object]:
    return {
        "job_id": report.job_id,
        "attempt": report.attempt,
        "steps": [[step.state.value, now - step.age_sec, step.message] for step in report.steps],
        "return_code": report.return_code,
        "message": report.message,
        "value": report.value,
        "exception": report.exception,
    }


def _parse(record: dict[str, object], now: float) -> JobReport:
    steps = record["steps"]
    code = record["return_code"]
    if not isinstance(steps, list):
        raise TypeError("steps is no list")
    return JobReport(
        job_id=str(record["job_id"]),
        attempt=int(str(record["attempt"])),
        steps=tuple(Step(JobState(s), max(0.0, now - float(when)), str(m)) for s, when, m in steps),
        return_code=None if code is None else int(str(code)),
        message=str(record["message"]),
        value=_text(record.get("value")),
        exception=_text(record.get("exception")),
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)
