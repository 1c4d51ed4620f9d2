"""What a launcher has done, and its closing words."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from balsam.lib.durations import human_duration
from balsam.schemas.sessions import Outlook, ReportReply

__all__ = ["Tally"]


@dataclass(slots=True)
class Tally:
    """Counts of one launcher run."""

    finished: int = 0
    failed: int = 0
    #: Jobs that have run here, and are finished by others, or later.
    handed_on: int = 0
    running: int = 0
    #: Part of the workflow names that the launcher takes; '' for all.
    workflow: str = ""
    #: Why the launcher stops before all is done, or ''.
    stopped: str = ""
    #: That was an interrupt from the keyboard (SIGINT).
    is_interrupted: bool = False
    #: Running jobs that ended by that.
    cut_short: int = 0
    #: Jobs that ended because they had been killed, deleted or reset.
    taken_away: int = 0
    #: Why a job cannot be placed on the launcher's nodes, or ''.
    unplaceable: str = ""
    #: Why the launcher takes no more jobs of several ranks, although it could place them, or ''.
    no_more_parallel: str = ""
    #: Nodes on which nothing more is run: they are dead, or workers fail there again and again.
    given_up: list[str] = field(default_factory=list)
    #: What was left at the last look.
    outlook: Outlook | None = None
    started_at: float = field(default_factory=time.monotonic)
    #: Asks how many hooks and transfers are under way.
    count_steps: Callable[[], int] = field(default=lambda: 0)

    def add(self, reply: ReportReply) -> None:
        """Count what a report of runs has brought about."""
        self.handed_on += reply.run
        self.finished += reply.finished
        self.failed += reply.failed

    def add_steps(self, reply: ReportReply) -> None:
        """Count what a report of hooks or transfers has brought about: jobs that have run here, mostly."""
        self.add(reply)
        self.handed_on = max(0, self.handed_on - reply.finished - reply.failed)

    def line(self) -> str:
        """One line for a live view."""
        if self.stopped:
            run = "job still runs" if self.running == 1 else "jobs still run"
            return f"{self.stopped}; {self.running} {run} (Ctrl-C kills at once)"
        steps = self.count_steps()
        in_steps = f", {steps} in hooks or staging" if steps else ""
        counts = f"{self.running} running{in_steps}, {self.finished} finished, {self.failed} failed"
        if self.given_up:
            counts += f", without {', '.join(self.given_up)}"
        if self.running or steps or self.outlook is None:
            return counts
        return f"{counts}; {next(iter(self._reasons(self.outlook)), 'waiting for jobs')}"

    def closing_lines(self) -> list[str]:
        """Say what was done, and what is left and why."""
        took_sec = time.monotonic() - self.started_at
        lines = [f"{_jobs(self.finished)} finished, {self.failed} failed in {human_duration(took_sec)}"]
        if self.handed_on:
            goes = "goes" if self.handed_on == 1 else "go"
            lines.append(
                f"{_jobs(self.handed_on)} ran and {goes} on without this launcher: hooks, or the taking out "
                "of results, are next"
            )
        if self.taken_away:
            lines.append(f"{_jobs(self.taken_away)} ended early: killed, deleted or reset by somebody")
        if self.given_up:
            lines.append(
                f"Given up, since nothing could be run there: {', '.join(self.given_up)}; see the log"
            )
        if self.stopped:
            cut = f"{_jobs(self.cut_short, 'running ')} cut short; " if self.cut_short else ""
            lines.append(f"{self.stopped}: {cut}the next launcher goes on with what is left")
        elif self.outlook is not None:
            lines += self._left_lines(self.outlook)
        return lines

    def _left_lines(self, left: Outlook) -> list[str]:
        has_run = self.finished or self.failed or self.handed_on or self.taken_away
        if left.is_empty and not (left.unfit or left.waiting or has_run):
            return [_nothing_text(self.workflow)]
        return self._reasons(left)

    def _reasons(self, left: Outlook) -> list[str]:
        """Say what keeps the jobs that are left, one line for each cause."""
        for_parallel = self.no_more_parallel or "for --job-mode mpi"
        up_to = ": " if left.too_large == 1 else ", up to "
        counted = (
            (left.too_large, "needs", "need", f"more nodes than there are here{up_to}{left.most_nodes}"),
            (left.too_parallel, "has", "have", f"several ranks: {for_parallel}"),
            (left.too_long, "may", "may", "run longer than the time that was left (wall_time_minutes)"),
            (left.unplaceable, "cannot", "cannot", f"be placed here: {self.unplaceable}"),
            (left.processable, "waits", "wait", "for a hook or staging (see --num-transition-threads)"),
            (left.in_other_steps, "is", "are", "in a hook or staging of the service or another launcher"),
            (left.held - left.mine - left.in_other_steps, "is", "are", "in the hands of other launchers"),
            (left.waiting, "waits", "wait", f"for {'its' if left.waiting == 1 else 'their'} parents"),
        )
        return [
            f"{_jobs(count)} {one if count == 1 else several} {what}"
            for count, one, several, what in counted
            if count
        ]


def _jobs(count: int, kind: str = "") -> str:
    return f"{count} {kind}{'job' if count == 1 else 'jobs'}"


def _nothing_text(workflow: str) -> str:
    if workflow:
        return (
            f"No unfinished job has a workflow that contains {workflow!r}; `balsam ls wf` lists the workflows"
        )
    return "There is no unfinished job; `balsam job` adds one, and `balsam ls --by-states` counts them all"
