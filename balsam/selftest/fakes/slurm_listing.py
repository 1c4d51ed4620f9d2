"""What the fakes of squeue, sacct and scontrol print."""

import re
import time
from collections.abc import Mapping

from balsam.selftest.fakes.cluster import user_name
from balsam.selftest.fakes.ledger import Job
from balsam.selftest.fakes.listing import account_of, listed, shown_time
from balsam.selftest.fakes.mischief import Reply
from balsam.selftest.fakes.schedulers import Call
from balsam.selftest.fakes.words import BadWords, Options, parse, pick

__all__ = ["lay_out", "nodelist", "sacct", "scontrol", "shown_minutes", "squeue"]

_ENDS = {
    "completed": ("COMPLETED", "CD"), "failed": ("FAILED", "F"), "timeout": ("TIMEOUT", "TO"),
    "cancelled": ("CANCELLED", "CA"), "preempted": ("PREEMPTED", "PR"), "node_fail": ("NODE_FAIL", "NF"),
    "out_of_memory": ("OUT_OF_MEMORY", "OOM"),
}  # fmt: skip
_SQUEUE = {
    "-u": ("user", True), "--user": ("user", True), "-h": ("bare", False), "--noheader": ("bare", False),
    "-o": ("format", True), "--format": ("format", True), "-O": ("Format", True),
    "--Format": ("Format", True),
    "-j": ("ids", True), "--jobs": ("ids", True), "-n": ("name", True), "--name": ("name", True),
    "-t": ("states", True), "--states": ("states", True), "-a": ("all", False), "--all": ("all", False),
    "-r": ("array", False), "--array": ("array", False),
}  # fmt: skip
#: Letter of ``squeue -o`` -> name of ``squeue -O``.
_LETTERS = {
    "i": "jobarrayid", "A": "jobid", "T": "state", "t": "statecompact", "j": "name", "P": "partition",
    "a": "account", "D": "numnodes", "l": "timelimit", "L": "timeleft", "M": "timeused", "r": "reason",
    "R": "reasonlist", "u": "username", "o": "command", "V": "submittime", "S": "starttime", "e": "endtime",
    "N": "nodelist", "Z": "workdir",
}  # fmt: skip
#: Names that differ from the headers of squeue.
_TITLES = {
    "jobarrayid": "JOBID", "statecompact": "ST", "numnodes": "NODES", "timelimit": "TIME_LIMIT",
    "timeleft": "TIME_LEFT", "timeused": "TIME", "reasonlist": "NODELIST(REASON)", "username": "USER",
    "submittime": "SUBMIT_TIME", "starttime": "START_TIME", "endtime": "END_TIME", "workdir": "WORK_DIR",
}  # fmt: skip
_SACCT = {
    "-j": ("ids", True), "--jobs": ("ids", True), "-X": ("whole", False), "--allocations": ("whole", False),
    "-n": ("bare", False), "--noheader": ("bare", False), "-P": ("parsable", False),
    "--parsable2": ("parsable", False), "--delimiter": ("delimiter", True), "-o": ("format", True),
    "--format": ("format", True), "-S": ("since", True), "--starttime": ("since", True),
    "-E": ("until", True), "--endtime": ("until", True), "-u": ("user", True), "--user": ("user", True),
    "--name": ("name", True), "-D": ("duplicates", False), "--duplicates": ("duplicates", False),
}  # fmt: skip


def squeue(call: Call) -> Reply:
    """List batch jobs; those that have ended with ``--states=all``, or by id, for five minutes."""
    options, _ = parse(call.argv, _SQUEUE)
    user, wanted = options.last("user"), [word for word in options.last("ids").split(",") if word]
    problem = "" if user in ("", user_name()) else f"squeue: error: Invalid user: {user}\n"
    with_ended = options.last("states").lower() == "all" or bool(wanted)
    jobs = [
        job for job in listed(call, user, ended_for_sec=300 if with_ended else 0)
        if (not wanted or str(job.id) in wanted) and options.last("name", job.name) == job.name
    ]  # fmt: skip
    if wanted and not jobs:
        return Reply(stderr="slurm_load_jobs error: Invalid job id specified\n", code=1)
    rows = [_fields(call, job) for job in jobs]
    if "bare" not in options:
        rows.insert(0, {name: _TITLES.get(name, name.upper()) for name in _LETTERS.values()})
    return Reply("".join(f"{_row(options, row)}\n" for row in rows), problem)


def sacct(call: Call) -> Reply:
    """Show the account of batch jobs, as ``-X -P`` do."""
    options, _ = parse(call.argv, _SACCT)
    if "parsable" not in options or "whole" not in options:
        raise BadWords("the fake knows no other layout than that of -X -P")
    names = [name.split("%")[0] for name in options.last("format", "JobID,JobName,State,ExitCode").split(",")]
    wanted = [word for word in options.last("ids").split(",") if word]
    jobs = [
        job for job in account_of(call, options.last("name"), with_duplicates="duplicates" in options)
        if not wanted or str(job.id) in wanted
    ]  # fmt: skip
    delimiter = options.last("delimiter", "|")
    rows = [pick(_fields(call, job), [_SACCT_NAMES.get(n.lower(), n.lower()) for n in names]) for job in jobs]
    head = [] if "bare" in options else [names]
    return Reply("".join(delimiter.join(row) + "\n" for row in head + rows))


def scontrol(call: Call) -> Reply:
    """Show one batch job on one line (``show job ID -o``)."""
    words = [word for word in call.argv if not word.startswith("-")]
    job = call.cluster.find(int(words[2])) if words[:2] == ["show", "job"] and words[2].isdecimal() else None
    if job is None:
        return Reply(stderr="slurm_load_jobs error: Invalid job id specified\n", code=1)
    shown = _fields(call, job)
    names = {
        "JobId": "jobid", "JobName": "name", "Account": "account", "JobState": "state", "Reason": "reason",
        "SubmitTime": "submittime", "StartTime": "starttime", "EndTime": "endtime", "TimeLimit": "timelimit",
        "Partition": "partition", "NodeList": "nodelist", "NumNodes": "numnodes", "Command": "command",
        "WorkDir": "workdir",
    }  # fmt: skip
    return Reply(" ".join(f"{name}={shown[field]}" for name, field in names.items()) + "\n")


#: Names of sacct that differ from those of ``squeue -O``.
_SACCT_NAMES = {
    "jobid": "jobarrayid", "jobidraw": "jobid", "jobname": "name", "submit": "submittime",
    "start": "starttime", "end": "endtime", "nnodes": "numnodes", "user": "username", "elapsed": "timeused",
    "state": "accountstate",
}  # fmt: skip


def _fields(call: Call, job: Job) -> dict[str, str]:
    long, compact = _state(job)
    until = None if job.started is None else job.started + job.minutes * call.cluster.settings.minute_sec
    used = 0.0 if job.started is None else (job.ended or time.time()) - job.started
    reason = {"held": "JobHeldUser", "queued": "Resources"}.get(job.state, "None")
    by = " by 0" if job.end == "cancelled" else ""
    return {
        "jobid": str(job.id),
        "jobarrayid": f"{job.id}_[0-3]" if job.is_array else str(job.id),
        "state": long,
        "statecompact": compact,
        "accountstate": ("PENDING" if job.asked == "requeue" else long) + by,
        "name": job.name,
        "partition": job.queue,
        "account": job.project,
        "numnodes": str(job.num_nodes),
        "timelimit": shown_minutes(job.minutes),
        "timeleft": _clock(call.cluster.minutes_left(job) * 60),
        "timeused": _clock(used),
        "reason": reason,
        "reasonlist": nodelist(job) or f"({reason})",
        "username": job.user,
        "command": job.script,
        "submittime": _stamp(call, job.submitted),
        "starttime": _stamp(call, job.started),
        "endtime": _stamp(call, job.ended or until),
        "nodelist": nodelist(job),
        "workdir": job.cwd,
        "exitcode": _exit_code(job),
    }


def _state(job: Job) -> tuple[str, str]:
    if job.state == "running":
        return ("COMPLETING", "CG") if job.asked else ("RUNNING", "R")
    return _ENDS[job.end] if job.end else ("PENDING", "PD")


def _exit_code(job: Job) -> str:
    code = job.exit_code or 0
    return f"0:{-code}" if code < 0 else f"{code}:0"


def _stamp(call: Call, seconds: float | None) -> str:
    if seconds is None:
        return "Unknown" if call.command == "sacct" else "N/A"
    layout = call.environ.get("SLURM_TIME_FORMAT", "standard")
    return shown_time(call, "%Y-%m-%dT%H:%M:%S" if layout == "standard" else layout, seconds)


def _clock(seconds: float) -> str:
    days, rest = divmod(int(seconds), 86400)
    hours, minutes = rest // 3600, rest // 60 % 60
    if days:
        return f"{days}-{hours:02}:{minutes:02}:{rest % 60:02}"
    return f"{hours}:{minutes:02}:{rest % 60:02}" if hours else f"{minutes}:{rest % 60:02}"


def shown_minutes(minutes: int) -> str:
    """Write a time limit as Slurm does: ``10:00``, ``1:00:00``, ``1-00:00:00``."""
    return _clock(minutes * 60)


def nodelist(job: Job) -> str:
    """Name the nodes of a batch job: ``n1``, ``n[1,3]``."""
    numbers = job.nodes.split()
    return f"n{numbers[0]}" if len(numbers) == 1 else f"n[{','.join(numbers)}]" if numbers else ""


def _row(options: Options, fields: Mapping[str, str]) -> str:
    """Lay one row out by ``-O name:width,...``, else by ``-o``."""
    if "Format" not in options:
        return lay_out(
            options.last("format", "%.18i %.9P %.8j %.8u %.2t %.10M %.6D %R"),
            {letter: fields[name] for letter, name in _LETTERS.items()},
        )
    cells = []
    for item in options.last("Format").split(","):
        name, _, layout = item.strip().partition(":")
        match = re.fullmatch(r"(\.?)(\d*)(.*)", layout)
        assert match is not None
        width = int(match[2] or 0) or (0 if match[3] else 20)
        (text,) = pick(fields, [name.lower()])
        cells.append((text[:width].ljust(width) if width else text) + match[3])
    return "".join(cells)


def lay_out(layout: str, fields: Mapping[str, str]) -> str:
    """Replace ``%i``, ``%8i`` and ``%.8i`` by fields that are cut and padded to the width."""

    def cell(match: re.Match[str]) -> str:
        (text,), width = pick(fields, [match[3]]), int(match[2] or 0)
        if not width:
            return text
        return text[:width].rjust(width) if match[1] else text[:width].ljust(width)

    return re.sub(r"%(\.?)(\d*)([A-Za-z])", cell, layout)
