"""Slurm: sbatch, squeue, sacct, scancel, sinfo, sacctmgr. Seen with 22.05.8."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from balsam.lib.commands import Answer, Command
from balsam.platform.scheduler import slurm_rows
from balsam.platform.scheduler.answers import UTC_ENVIRON, cancellation, count, script_word, submission
from balsam.platform.scheduler.contract import (
    Allocation,
    BackfillWindow,
    Cancellation,
    History,
    Listing,
    Submission,
    SubmitRequest,
)
from balsam.platform.scheduler.times import clock, minutes, whole_minutes

__all__ = ["Slurm", "SlurmQos"]

#: Of `sbatch --parsable`: "id" or "id;cluster"; and of an sbatch that is wrapped.
_ID_LINE = re.compile(r"^(?:Submitted batch job )?(\d+)(?:;\S+| on cluster \S+)?\n", re.MULTILINE)
#: https://github.com/SchedMD/slurm/blob/master/src/common/slurm_errno.c, and what sbatch says of its own.
_REFUSALS = (
    "invalid account", "invalid partition", "invalid qos", "invalid wckey", "invalid user",
    "invalid job name", "invalid node name", "invalid license", "invalid generic resource", "invalid feature",
    "invalid dependency", "invalid trackable resource", "job dependency problem", "job size specification",
    "time limit is invalid", "node count specification invalid", "node configuration is not available",
    "required partition not available", "required node not available", "requested reservation is invalid",
    "requested nodes are busy", "specification can not be satisfied", "violates accounting/qos policy",
    "access/permission denied", "user not permitted", "user's group not permitted", "not in list of allowed",
    "job violates", "more processors requested than permitted", "unable to open file",
    "does not look like a batch script", "batch script contains dos line breaks", "unrecognized option",
    "invalid option", "requires an argument", "invalid --", "no partition specified",
    "pathname of a file, directory or other parameter too long", "lacks permission",
)  # fmt: skip
_GONE = ("invalid job id", "already completing or completed", "job has already finished")
#: Variables that make squeue leave rows out, or lay them out otherwise.
_NARROWING = (
    "SQUEUE_ACCOUNT", "SQUEUE_ARRAY", "SQUEUE_FORMAT", "SQUEUE_FORMAT2", "SQUEUE_LICENSES", "SQUEUE_NAMES",
    "SQUEUE_PARTITION", "SQUEUE_QOS", "SQUEUE_SORT", "SQUEUE_STATES", "SQUEUE_USERS",
)  # fmt: skip
_TIME_FORMAT = "%Y-%m-%dT%H:%M:%S"
#: Of a partition that has none.
_NO_LIMIT_MIN = 365 * 24 * 60


class Slurm:
    """Text of Slurm's commands; accounting needs slurmdbd, without which sacct says so."""

    name = "slurm"
    probe = "sbatch"
    #: What users of this machine call a queue: the option that asks for it, and how squeue shows it.
    queue_option, queue_format = "--partition", "%P"
    keeps_history = True
    lists_names = True

    def submit_command(self, request: SubmitRequest) -> Command:
        """Return the command; output and errors go to one file, as Slurm does by itself."""
        output = str(request.output).replace("%", "%%")
        return Command([
            "sbatch", "--parsable", f"--job-name={request.name}", f"--chdir={request.cwd}",
            f"--output={output}.output", *([f"--account={request.project}"] if request.project else []),
            *([f"{self.queue_option}={request.queue}"] if request.queue else []),
            f"--nodes={request.num_nodes}", f"--time={clock(request.wall_time_min)}",
            *request.extra_flags, script_word(request.script),
        ])  # fmt: skip

    def parse_submit(self, answer: Answer) -> Submission:
        """Read the id."""
        return submission(answer, _ID_LINE, _REFUSALS)

    def status_command(self, user: str) -> Command:
        """Return the command; it shows for some minutes (MinJobAge) how batch jobs have ended, too."""
        rows = slurm_rows.SQUEUE_FORMAT.replace("%P", self.queue_format)
        argv = ["squeue", f"--user={user}", "--states=all", f"--format={rows}"]
        return Command(argv, UTC_ENVIRON, unset=_NARROWING)

    def parse_status(self, answer: Answer, user: str = "") -> Listing:
        """Read the rows; without the header it was not squeue that answered."""
        return slurm_rows.listing(answer, user)

    def history_command(
        self, scheduler_ids: Sequence[str], since: datetime, name: str = "", user: str = ""
    ) -> Command:
        """Return the command; ``since`` must be earlier than the submission by what clocks may differ."""
        start = since.astimezone(UTC).strftime(_TIME_FORMAT)
        which = [f"--name={name}", f"--user={user}"] if name else ["-j", ",".join(scheduler_ids)]
        return Command(
            ["sacct", "-X", "-P", f"--delimiter={slurm_rows.SEPARATOR}", "-S", start, *which,
             "-o", ",".join(slurm_rows.SACCT_FIELDS)],
            {**UTC_ENVIRON, "SLURM_TIME_FORMAT": _TIME_FORMAT},
        )  # fmt: skip

    def parse_history(self, answer: Answer) -> History:
        """Read the rows; where accounting is off there is none, which is a whole answer."""
        return slurm_rows.history(answer)

    def cancel_command(self, scheduler_id: str) -> Command:
        """Return the command; without -v it says nothing of ids that it does not know, and ends with 0."""
        return Command(["scancel", "-v", scheduler_id])

    def parse_cancel(self, answer: Answer) -> Cancellation:
        """Read what is said of the id."""
        return cancellation(answer, _GONE)

    def backfill_command(self) -> Command:
        """Return the command, a row for each partition."""
        return Command(["sinfo", "-h", "-t", "idle", "-o", "%R|%a|%l|%D|%t"])

    def parse_backfill(self, answer: Answer) -> dict[str, list[BackfillWindow]]:
        """Return the idle nodes of each partition that is up, for its time limit."""
        found: dict[str, list[BackfillWindow]] = {}
        for line in answer.stdout.split("\n") if answer.is_ok else ():
            words = line.split("|")
            nodes = count(words[3]) if len(words) == 5 else None
            if nodes and words[1] == "up" and words[4].startswith("idle"):
                limit = _NO_LIMIT_MIN if words[2] == "infinite" else whole_minutes(words[2])
                if limit:
                    found.setdefault(words[0], []).append(BackfillWindow(nodes, limit))
        return found

    def projects_command(self, user: str) -> Command:
        """Return the command."""
        return Command(["sacctmgr", "-n", "-P", "show", "associations", f"user={user}", "format=account"])

    def parse_projects(self, answer: Answer) -> list[str]:
        """Return the accounts."""
        lines = answer.stdout.split("\n") if answer.is_ok else ()
        return sorted({line.strip() for line in lines if re.fullmatch(r"\s*[\w.,:@+/-]+\s*", line)})

    def allocation(self, environ: Mapping[str, str]) -> Allocation | None:
        """Read the id; of an array or a heterogeneous job, the id that sbatch answered."""
        names = ("SLURM_ARRAY_JOB_ID", "SLURM_HET_JOB_ID", "SLURM_JOB_ID")
        found = next((environ[name] for name in names if environ.get(name)), "")
        return Allocation(scheduler=self.name, scheduler_id=found) if found else None

    def time_left_command(self, scheduler_id: str) -> Command:
        """Return the command."""
        return Command(["squeue", "-h", "-j", scheduler_id, "-o", "%L"], unset=_NARROWING)

    def parse_time_left(self, answer: Answer) -> float | None:
        """Read the time; of several parts, the shortest."""
        found = [minutes(line.strip()) for line in answer.stdout.split("\n")] if answer.is_ok else []
        return min((left for left in found if left is not None), default=None)


class SlurmQos(Slurm):
    """Slurm on machines where a queue is a quality of service, and the partition follows from it."""

    name = "slurm-qos"
    queue_option, queue_format = "--qos", "%q"
