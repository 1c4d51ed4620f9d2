"""OpenPBS and PBS Professional: qsub, qstat, qdel, pbsnodes."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime

from balsam.lib.commands import Answer, Command
from balsam.platform.scheduler import pbs_jobs
from balsam.platform.scheduler.answers import UTC_ENVIRON, cancellation, script_word, submission
from balsam.platform.scheduler.contract import (
    Allocation,
    BackfillWindow,
    Cancellation,
    History,
    Listing,
    Submission,
    SubmitRequest,
)
from balsam.platform.scheduler.lenient_json import decode
from balsam.platform.scheduler.times import clock

__all__ = ["Pbs"]

#: "123.server", "123[].server"; the server is left out, as PBS takes ids without it.
_ID_LINE = re.compile(r"^(\d+(?:\[\])?)(?:\.[\w.-]+)\n", re.MULTILINE | re.ASCII)
#: https://github.com/openpbs/openpbs/blob/master/src/lib/Libifl/pbs_geterrmg.c
_REFUSALS = (
    "unknown queue", "queue is not enabled", "violates queue", "unauthorized request", "request rejected",
    "is not valid", "invalid account", "invalid project", "illegal attribute or resource value",
    "unknown resource", "unknown/illegal", "undefined attribute", "bad uid for job execution",
    "bad gid for job execution", "would exceed", "maximum number of jobs already in queue",
    "access to queue is denied", "access from host not allowed", "not allowed to submit",
    "illegal -", "illegal option", "usage: qsub", "script file::",
    "job has dependency", "cannot be satisfied", "group resource limit", "user limit", "no default queue",
    "invalid request", "must specify", "job rejected by all possible destinations", "invalid option",
    "unrecognized option",
)  # fmt: skip
_GONE = ("unknown job id", "job has finished", "request invalid for state of job", "job has already finished")
#: A node says nothing of how long it stays idle.
_IDLE_MIN = 24 * 60


class Pbs:
    """Text of the commands of PBS; its history needs `job_history_enable`, as is usual."""

    name = "pbs"
    probe = "pbsnodes"
    keeps_history = True
    lists_names = True

    def submit_command(self, request: SubmitRequest) -> Command:
        """Return the command; PBS starts batch jobs in the home, and tells them where qsub ran."""
        return Command([
            "qsub", "-N", request.name, *(["-A", request.project] if request.project else []),
            *(["-q", request.queue] if request.queue else []), "-l", f"select={request.num_nodes}",
            "-l", f"walltime={clock(request.wall_time_min)}", "-j", "oe", "-o", f"{request.output}.output",
            *request.extra_flags, script_word(request.script),
        ], cwd=str(request.cwd))  # fmt: skip

    def parse_submit(self, answer: Answer) -> Submission:
        """Read the id."""
        return submission(answer, _ID_LINE, _REFUSALS)

    def status_command(self, user: str) -> Command:
        """Return the command; with full attributes PBS can list all users' batch jobs only."""
        return Command(["qstat", "-f", "-F", "json"], UTC_ENVIRON)

    def parse_status(self, answer: Answer, user: str = "") -> Listing:
        """Read the batch jobs; where there is none, PBS says at least who it is."""
        return pbs_jobs.listing(answer, user)

    def history_command(
        self, scheduler_ids: Sequence[str], since: datetime, name: str = "", user: str = ""
    ) -> Command:
        """Return the command; for a name, the whole history has to be shown."""
        return Command(["qstat", "-x", "-f", "-F", "json", *([] if name else scheduler_ids)], UTC_ENVIRON)

    def parse_history(self, answer: Answer) -> History:
        """Read the batch jobs; ids that are unknown are in a whole answer, too."""
        return pbs_jobs.history(answer)

    def cancel_command(self, scheduler_id: str) -> Command:
        """Return the command."""
        return Command(["qdel", scheduler_id])

    def parse_cancel(self, answer: Answer) -> Cancellation:
        """Read what is said of the id."""
        return cancellation(answer, _GONE)

    def backfill_command(self) -> Command:
        """Return the command."""
        return Command(["pbsnodes", "-a", "-F", "json"])

    def parse_backfill(self, answer: Answer) -> dict[str, list[BackfillWindow]]:
        """Count the nodes that are free and empty; the queue is '' for those that serve every queue."""
        document = decode(answer.stdout) if answer.is_ok else None
        nodes = (document or {}).get("nodes")
        idle: dict[str, int] = {}
        for node in nodes.values() if isinstance(nodes, dict) else ():
            if isinstance(node, dict) and node.get("state") == "free" and not node.get("jobs"):
                for queue in _queues(node):
                    idle[queue] = idle.get(queue, 0) + 1
        return {queue: [BackfillWindow(number, _IDLE_MIN)] for queue, number in idle.items()}

    def projects_command(self, user: str) -> None:
        """Return None: PBS knows no projects of users."""

    def parse_projects(self, answer: Answer) -> list[str]:
        """Return nothing: there is no such command."""
        return []

    def allocation(self, environ: Mapping[str, str]) -> Allocation | None:
        """Read the id; of a part of an array, that of the array."""
        found = pbs_jobs.short_id(environ.get("PBS_JOBID", ""))
        return Allocation(scheduler=self.name, scheduler_id=found) if found else None

    def time_left_command(self, scheduler_id: str) -> Command:
        """Return the command."""
        return Command(["qstat", "-f", "-F", "json", scheduler_id], UTC_ENVIRON)

    def parse_time_left(self, answer: Answer) -> float | None:
        """Subtract what is used from the limit: by the time since the start, or as PBS has counted."""
        return pbs_jobs.time_left(answer)


def _queues(node: Mapping[str, object]) -> list[str]:
    resources = node.get("resources_available")
    listed = resources.get("Qlist") if isinstance(resources, dict) else None
    return [word for word in str(listed or node.get("queue") or "").split(",") if word] or [""]
