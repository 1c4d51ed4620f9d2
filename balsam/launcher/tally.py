"""What a launcher has done, and its closing words."""

import time
from dataclasses import dataclass, field

from balsam.lib.durations import human_duration
from balsam.schemas.sessions import Outlook, ReportReply

__all__ = ["Tally"]


@dataclass(slots=True)
class Tally:
    """Counts of one launcher run."""

    finished: int = 0
    failed: int = 0
    running: int = 0
    #: What was left at the last look.
    outlook: Outlook | None = None
    started_at: float = field(default_factory=time.monotonic)

    def add(self, reply: ReportReply) -> None:
        """Count what a report has brought about."""
        self.finished += reply.finished
        self.failed += reply.failed

    def line(self) -> str:
        """One line for a live view."""
        return f"{self.running} running, {self.finished} finished, {self.failed} failed"

    def closing_lines(self) -> list[str]:
        """Say what was done, and what is left and why."""
        took_sec = time.monotonic() - self.started_at
        lines = [f"{self.finished} jobs finished, {self.failed} failed in {human_duration(took_sec)}"]
        left = self.outlook
        if left is None:
            return lines
        if left.unfit:
            lines.append(
                f"{left.unfit} runnable jobs do not fit this launcher (too large, too long for the time "
                "left, or of the other job mode)"
            )
        if left.processable:
            lines.append(f"{left.processable} jobs wait for a hook or staging (see --num-transition-threads)")
        if left.waiting:
            lines.append(f"{left.waiting} jobs wait for their parents")
        return lines
