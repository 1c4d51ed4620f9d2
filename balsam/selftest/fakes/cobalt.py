"""The commands of Cobalt, as Theta and its sisters had them."""

import os
import time
from collections.abc import Callable, Mapping

from balsam.selftest.fakes.cluster import Cluster, Refusal
from balsam.selftest.fakes.ledger import Job
from balsam.selftest.fakes.listing import listed, shown_clock, shown_time
from balsam.selftest.fakes.mischief import Reply
from balsam.selftest.fakes.schedulers import Call
from balsam.selftest.fakes.words import BadWords, directives, minutes_of, parse, pick

__all__ = ["COMMANDS", "USAGE_CODE", "environ", "trouble"]

USAGE_CODE = 1
_REFUSALS = {
    "queue": "Queue '{queue}' does not exist",
    "closed": "Queue '{queue}' is not in a state to accept jobs",
    "project": "{project} is not a valid project",
    "nodes": "Not able to submit job: nodecount out of bounds",
    "time": "Not able to submit job: walltime out of bounds for queue {queue}",
    "limit": "The limit of {limit} jobs per user in the '{queue}' queue has been reached",
    "script": "command {script} not found, or is not a file",
}
_QSUB = {
    "-A": ("project", True), "--project": ("project", True), "-q": ("queue", True),
    "--queue": ("queue", True), "-n": ("nodes", True), "--nodecount": ("nodes", True),
    "-t": ("time", True), "--time": ("time", True), "-O": ("output", True),
    "--outputprefix": ("output", True), "-o": ("stdout", True), "-e": ("stderr", True),
    "--cwd": ("cwd", True), "--jobname": ("name", True), "--env": ("variables", True),
    "-h": ("hold", False), "--held": ("hold", False),
    # taken, and without effect here
    **dict.fromkeys(("--attrs", "-M", "--notify", "--mode", "--proccount", "-D", "--debuglog", "--umask",
                     "--dependencies", "--geometry"), ("other", True)),
    **dict.fromkeys(("--run_project", "--preemptable"), ("other", False)),
}  # fmt: skip
_QSTAT = {
    "-u": ("user", True), "--user": ("user", True), "-f": ("full", False), "-l": ("long", False),
    "--header": ("header", True),
}  # fmt: skip
_STATES = {"queued": "queued", "held": "user_hold", "running": "running"}
_DEFAULT_HEADER = "JobID:User:WallTime:Nodes:State:Location"


def environ(cluster: Cluster, job: Job) -> dict[str, str]:
    """Return the variables of a batch script, and write its file of nodes."""
    node_file = os.path.join(cluster.ledger.directory, "spool", f"{job.seq}.nodes")
    with open(node_file, "w", encoding="ascii") as file:
        file.writelines(f"nid{int(node):05}\n" for node in job.nodes.split())
    return {
        "COBALT_JOBID": str(job.id),
        "COBALT_PARTNAME": job.nodes.replace(" ", ","),
        "COBALT_PARTSIZE": str(job.num_nodes),
        "COBALT_JOBSIZE": str(job.num_nodes),
        "COBALT_NODEFILE": node_file,
        "COBALT_PROJECT": job.project,
        "COBALT_QUEUE": job.queue,
        "COBALT_STARTTIME": f"{job.started or 0:.0f}",
        "COBALT_ENDTIME": f"{(job.started or 0) + job.minutes * cluster.settings.minute_sec:.0f}",
    }


def trouble(command: str, *, is_done: bool) -> Reply:
    """Answer as where the queue manager is down, or a connection is lost."""
    if is_done:
        return Reply(stderr="Connection reset by peer\nUnable to get answer from queue manager\n", code=1)
    return Reply(stderr="Failed to connect to queue manager\n", code=3)


def _qsub(call: Call) -> Reply:
    options, words = parse(call.argv, _QSUB)
    if not words:
        raise BadWords("No command specified")
    script = call.path(words[0])
    given, _ = parse(directives(script, "#COBALT"), _QSUB)
    said = {name: options.last(name, given.last(name)) for name in _NAMES}
    if not said["time"] or not said["nodes"]:
        raise BadWords("'-n' and '-t' are required")
    cwd = call.path(said["cwd"])
    prefix = said["output"] or "%j"
    request = {
        "name": said["name"] or "N/A",
        "project": said["project"],
        "queue": said["queue"] or "default",
        "num_nodes": said["nodes"],
        "minutes": str(_minutes(said["time"])),
        "cwd": cwd,
        "stdout": os.path.join(cwd, said["stdout"] or f"{prefix}.output"),
        "stderr": os.path.join(cwd, said["stderr"] or f"{prefix}.error"),
    }
    try:
        if not os.access(script, os.X_OK):
            raise Refusal("script")
        job = call.submit(request, script, _passed_on(call, options), is_held="hold" in options)
    except Refusal as refusal:
        limits = call.cluster.settings.queues.get(request["queue"], {})
        why = _REFUSALS[str(refusal)].format(script=words[0], limit=limits.get("max_queued"), **request)
        return Reply(stderr=f"{why}\n", code=1)
    with open(os.path.join(cwd, f"{prefix}.cobaltlog".replace("%j", str(job.id))), "a") as log:
        log.write(
            f"{_stamp(call, job.submitted)} submitted with cwd set to: {cwd}\njobid {job.id} submitted\n"
        )
    return Reply(f"{job.id}\n")


_NAMES = ("name", "project", "queue", "nodes", "time", "cwd", "output", "stdout", "stderr")


def _minutes(text: str) -> int:
    """Read minutes, or ``H:M:S``."""
    return minutes_of(text, r"(?:(\d+):(?=\d+:))?(\d+)(?::(\d+))?", (60, 1, 1 / 60))


def _passed_on(call: Call, options: Mapping[str, list[str]]) -> dict[str, str]:
    """Return the environment of a batch job: Cobalt makes it anew."""
    kept = ("HOME", "LANG", "LOGNAME", "PATH", "SHELL", "USER", "TZ")
    named = [item.partition("=") for value in options.get("variables", []) for item in value.split(":")]
    return {
        **{name: call.environ[name] for name in kept if name in call.environ},
        **{name: value for name, _, value in named},
    }


def _qstat(call: Call) -> Reply:
    options, words = parse(call.argv, _QSTAT)
    names = (options.last("header") or call.environ.get("QSTAT_HEADER") or _DEFAULT_HEADER).split(":")
    jobs = [job for job in listed(call, options.last("user")) if not words or str(job.id) in words]
    if words and not jobs:
        return Reply(code=1)
    fields = [{name.lower(): text for name, text in _fields(call, job).items()} for job in jobs]
    rows = [pick(row, [name.lower() for name in names]) for row in fields]
    widths = [max(map(len, column)) for column in zip(names, *rows, strict=True)]
    lines = [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True))
        for row in [names, *rows]
    ]
    return Reply("\n".join([lines[0], "=" * len(lines[0]), *lines[1:]]) + "\n")


def _fields(call: Call, job: Job) -> dict[str, str]:
    runs = job.started is not None
    left = call.cluster.minutes_left(job) * 60
    return {
        "JobID": str(job.id),
        "JobName": job.name,
        "User": job.user,
        "State": "killing" if job.asked else _STATES[job.state],
        "WallTime": shown_clock(job.minutes * 60),
        "RunTime": shown_clock(job.minutes * 60 - left) if runs else "N/A",
        "TimeRemaining": shown_clock(left) if runs else "N/A",
        "QueuedTime": shown_clock(time.time() - job.submitted),
        "SubmitTime": _stamp(call, job.submitted),
        "StartTime": _stamp(call, job.started) if job.started is not None else "N/A",
        "Queue": job.queue,
        "Nodes": str(job.num_nodes),
        "Project": job.project or "N/A",
        "Command": job.script,
        "Location": job.nodes.replace(" ", ",") or "None",
        "Hold": "yes" if job.state == "held" else "no",
    }


def _qdel(call: Call) -> Reply:
    _, words = parse(call.argv, {"-f": ("force", False), "-d": ("debug", False)})
    found = [call.cluster.find(int(word)) for word in words if word.isdecimal()]
    gone = [job for job in found if job is not None and call.cluster.ask(job, "cancelled")]
    if not gone:
        return Reply(stderr="".join(f"qdel: job {word} not found\n" for word in words), code=1)
    rows = "".join(f"{job.id}   {job.user}\n" for job in gone)
    return Reply(f"      Deleted Jobs\nJobID  User\n=============\n{rows}")


def _nodelist(call: Call) -> Reply:
    parse(call.argv, {"-l": ("long", False), "--noheader": ("bare", False)})
    free = set(call.cluster.free_nodes())
    queues = ":".join(call.cluster.settings.queues)
    lines = ["Node_id  Name         Queues            Status     Backfill", "=" * 62]
    for node in range(1, call.cluster.settings.num_nodes + 1):
        status, backfill = ("idle", "24:00:00") if node in free else ("allocated", "-")
        lines.append(f"{node:<7}  nid{node:05}     {queues:16}  {status:9}  {backfill}")
    return Reply("\n".join(lines) + "\n")


def _stamp(call: Call, seconds: float) -> str:
    return shown_time(call, "%a %b %d %H:%M:%S %Y", seconds)


COMMANDS: Mapping[str, tuple[str, Callable[[Call], Reply]]] = {
    "qsub": ("submit", _qsub),
    "qstat": ("list", _qstat),
    "qdel": ("cancel", _qdel),
    "nodelist": ("nodes", _nodelist),
}
