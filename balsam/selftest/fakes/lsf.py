"""The commands of IBM Spectrum LSF, as far as anything asks for them: https://www.ibm.com/docs/en/spectrum-lsf"""

import json
import os
import time
from collections.abc import Callable, Mapping

from balsam.selftest.fakes.cluster import Cluster, Refusal, user_name
from balsam.selftest.fakes.ledger import Job
from balsam.selftest.fakes.listing import listed, shown_time
from balsam.selftest.fakes.mischief import Reply
from balsam.selftest.fakes.schedulers import Call
from balsam.selftest.fakes.words import BadWords, directives, minutes_of, parse, pick

__all__ = ["COMMANDS", "USAGE_CODE", "environ", "trouble"]

USAGE_CODE = 255
#: As on Summit.
_SLOTS_PER_NODE = 42
#: CLEAN_PERIOD: so long does bjobs -a show what has ended.
_CLEAN_SEC = 3600.0
_REFUSALS = {
    "queue": "{queue}: No such queue. Job not submitted.",
    "closed": "{queue}: Queue has been closed. Job not submitted.",
    "project": "{project}: No such project. Job not submitted.",
    "nodes": "Too many nodes requested. Job not submitted.",
    "time": "RUNLIMIT: Cannot exceed queue's hard limit(s). Job not submitted.",
    "limit": "User's pending job threshold reached. Job not submitted.",
    "script": "{script}: No such file or directory. Job not submitted.",
}
_BSUB = {
    "-P": ("project", True), "-q": ("queue", True), "-nnodes": ("nodes", True), "-W": ("time", True),
    "-J": ("name", True), "-o": ("stdout", True), "-e": ("stderr", True), "-oo": ("stdout", True),
    "-eo": ("stderr", True), "-cwd": ("cwd", True), "-H": ("hold", False), "-env": ("variables", True),
    # taken, and without effect here
    **dict.fromkeys(
        ("-alloc_flags", "-n", "-R", "-G", "-w", "-u", "-jsm", "-core_isolation"), ("other", True)),
    **dict.fromkeys(("-N", "-B", "-x", "-r", "-rn"), ("other", False)),
}  # fmt: skip
_BJOBS = {
    "-u": ("user", True), "-json": ("json", False), "-o": ("format", True), "-noheader": ("bare", False),
    "-a": ("all", False), "-d": ("done", False), "-J": ("name", True), "-l": ("long", False),
    "-w": ("wide", False), "-X": ("uncondensed", False), "-q": ("queue", True), "-P": ("project", True),
}  # fmt: skip
_ENDS = {
    "timeout": "TERM_RUNLIMIT: job killed after reaching LSF run time limit",
    "cancelled": "TERM_OWNER: job killed by owner",
    "preempted": "TERM_PREEMPT: job killed after preemption",
    "node_fail": "TERM_EXTERNAL_SIGNAL: job killed by a signal external to LSF",
    "out_of_memory": "TERM_MEMLIMIT: job killed after reaching LSF memory usage limit",
}
_CODES = {"timeout": 140, "cancelled": 130, "preempted": 130, "node_fail": 255, "out_of_memory": 137}


def environ(cluster: Cluster, job: Job) -> dict[str, str]:
    """Return the variables of a batch script, and write its file of hosts; the batch host is first."""
    hosts = ["batch1", *(f"h{int(node):02}" for node in job.nodes.split())]
    host_file = os.path.join(cluster.ledger.directory, "spool", f"{job.seq}.hosts")
    with open(host_file, "w", encoding="ascii") as file:
        for host in hosts:
            file.write(f"{host}\n" * (1 if host == "batch1" else _SLOTS_PER_NODE))
    return {
        "LSB_JOBID": str(job.id),
        "LSB_JOBINDEX": "0",
        "LSB_JOBNAME": job.name,
        "LSB_QUEUE": job.queue,
        "LSB_PROJECT_NAME": job.project,
        "LSB_HOSTS": " ".join(hosts),
        "LSB_MCPU_HOSTS": " ".join(f"{h} {1 if h == 'batch1' else _SLOTS_PER_NODE}" for h in hosts),
        "LSB_DJOB_HOSTFILE": host_file,
        "LSB_DJOB_NUMPROC": str(1 + job.num_nodes * _SLOTS_PER_NODE),
        "LS_SUBCWD": job.cwd,
    }


def trouble(command: str, *, is_done: bool) -> Reply:
    """Answer as where the batch daemon is down, or a connection is lost."""
    if is_done:
        return Reply(stderr="Failed in an LSF library call: Communication time out. \n", code=255)
    return Reply(
        stderr="Failed in an LSF library call: LIM is down; try later. Job not submitted.\n", code=255
    )


def _bsub(call: Call) -> Reply:
    options, words = parse(call.argv, _BSUB)
    if not words:
        raise BadWords("Empty job. Job not submitted.")
    script = call.path(words[0])
    given, _ = parse(directives(script, "#BSUB"), _BSUB)
    said = {name: options.last(name, given.last(name)) for name in _NAMES}
    cwd = call.path(said["cwd"])
    stdout = os.path.join(cwd, said["stdout"].replace("%J", "%j") or os.devnull)
    request = {
        "name": said["name"] or os.path.basename(script),
        "project": said["project"] or "default",
        "queue": said["queue"] or next(iter(call.cluster.settings.queues)),
        "num_nodes": said["nodes"] or "1",
        "minutes": str(minutes_of(said["time"] or "60", r"(?:(\d+):)?(\d+)", (60, 1))),
        "cwd": cwd,
        "stdout": stdout,
        "stderr": os.path.join(cwd, said["stderr"].replace("%J", "%j") or stdout),
    }
    try:
        job = call.submit(request, script, call.environ, is_held="hold" in options)
    except Refusal as refusal:
        return Reply(stderr=_REFUSALS[str(refusal)].format(script=words[0], **request) + "\n", code=255)
    return Reply(f"Job <{job.id}> is submitted to queue <{job.queue}>.\n")


_NAMES = ("name", "project", "queue", "nodes", "time", "cwd", "stdout", "stderr")


def _bjobs(call: Call) -> Reply:
    options, words = parse(call.argv, _BJOBS)
    with_ended = "all" in options or "done" in options or bool(words)
    user = options.last("user", user_name())
    jobs = [
        job for job in listed(call, "" if user == "all" else user, ended_for_sec=_CLEAN_SEC * with_ended)
        if (not words or str(job.id) in words) and options.last("name", job.name) == job.name
    ]  # fmt: skip
    names = (options.last("format") or call.environ.get("LSB_BJOBS_FORMAT") or "jobid stat queue").split()
    delimiters = [
        name.removeprefix("delimiter=").strip("'\"") for name in names if name.startswith("delimiter=")
    ]
    names = [name.split(":")[0].upper() for name in names if not name.startswith("delimiter=")]
    rows = [pick(_fields(call, job), names) for job in jobs]
    missing = [word for word in words if word not in {str(job.id) for job in jobs}]
    if "json" in options:
        return _json(names, rows, missing)
    if not jobs and not missing:
        return Reply(stderr="No job found\n" if with_ended else "No unfinished job found\n")
    delimiter = delimiters[0] if delimiters else " "
    lines = [] if "bare" in options else [delimiter.join(names)]
    problems = "".join(f"Job <{word}> is not found\n" for word in missing)
    text = "".join(f"{line}\n" for line in [*lines, *(delimiter.join(row) for row in rows)])
    return Reply(text if rows else "", problems, 255 if missing else 0)


def _json(names: list[str], rows: list[list[str]], missing: list[str]) -> Reply:
    records: list[dict[str, str]] = [dict(zip(names, row, strict=True)) for row in rows]
    records += [{"JOBID": word, "ERROR": f"Job <{word}> is not found"} for word in missing]
    document = {"COMMAND": "bjobs", "JOBS": len(records), "RECORDS": records}
    return Reply(json.dumps(document) + "\n", code=255 if missing and not rows else 0)


def _fields(call: Call, job: Job) -> dict[str, str]:
    """Return the fields of one batch job; '-' where there is nothing."""
    run_sec = 0.0 if job.started is None else (job.ended or time.time()) - job.started
    reason = "New job is waiting for scheduling;" if job.state == "queued" else ""
    code = _CODES.get(job.end, job.exit_code or 0)
    slots = str(job.num_nodes * _SLOTS_PER_NODE)
    left = call.cluster.minutes_left(job)
    fields = {
        "JOBID": str(job.id),
        "JOBINDEX": "1" if job.is_array else "0",
        "STAT": _state(job),
        "USER": job.user,
        "QUEUE": job.queue,
        "JOB_NAME": f"{job.name}[1]" if job.is_array else job.name,
        "PROJ_NAME": job.project,
        "PROJECT": job.project,
        "NREQ_SLOT": slots,
        "SLOTS": slots,
        "NALLOC_SLOT": slots if job.started else "",
        "NEXEC_HOST": str(job.num_nodes + 1) if job.started else "",
        "EXEC_HOST": ":".join(f"h{int(node):02}" for node in job.nodes.split()),
        "SUBMIT_TIME": _stamp(call, job.submitted),
        "START_TIME": _stamp(call, job.started),
        "FINISH_TIME": _finish(call, job),
        "RUN_TIME": f"{run_sec * 60 / call.cluster.settings.minute_sec:.0f} second(s)",
        "RUNTIMELIMIT": f"{job.minutes}.0",
        "RUNLIMIT": f"{job.minutes}.0",
        "TIME_LEFT": f"{int(left) // 60}:{int(left) % 60} L" if job.state == "running" else "",
        "PEND_REASON": reason,
        "EXIT_CODE": str(code) if _state(job) == "EXIT" else "",
        "EXIT_REASON": _ENDS.get(job.end, ""),
        "COMMAND": job.script,
        "FROM_HOST": "login1",
        "SUB_CWD": job.cwd,
    }
    return {name: text or "-" for name, text in fields.items()}


def _state(job: Job) -> str:
    if job.state == "ended":
        return "DONE" if job.end == "completed" else "EXIT"
    return {"queued": "PEND", "held": "PSUSP", "running": "RUN"}[job.state]


def _stamp(call: Call, seconds: float | None) -> str:
    return "" if seconds is None else shown_time(call, "%b %e %H:%M:%S %Y", seconds)


def _finish(call: Call, job: Job) -> str:
    """Show when it ended, or, with an L, when its time will be over."""
    if job.started is None or job.ended is not None:
        return _stamp(call, job.ended)
    return _stamp(call, job.started + job.minutes * call.cluster.settings.minute_sec) + " L"


def _bkill(call: Call) -> Reply:
    _, words = parse(call.argv, {"-s": ("signal", True), "-J": ("name", True), "-r": ("force", False)})
    answers, problems = [], []
    for word in words:
        number = word.split("[")[0]
        job = call.cluster.find(int(number)) if number.isdecimal() else None
        if job is None:
            problems.append(f"Job <{word}>: No matching job found\n")
        elif call.cluster.ask(job, "cancelled"):
            answers.append(f"Job <{word}> is being terminated\n")
        else:
            problems.append(f"Job <{word}>: Job has already finished\n")
    return Reply("".join(answers), "".join(problems), 255 if problems else 0)


def _bslots(call: Call) -> Reply:
    parse(call.argv, {"-R": ("resources", True), "-l": ("long", False), "-n": ("slots", True)})
    free = len(call.cluster.free_nodes())
    if not free:
        return Reply(stderr="No backfill window exists at this time\n")
    return Reply(f"SLOTS          RUNTIME\n{free * _SLOTS_PER_NODE:<14} UNLIMITED\n")


COMMANDS: Mapping[str, tuple[str, Callable[[Call], Reply]]] = {
    "bsub": ("submit", _bsub),
    "bjobs": ("list", _bjobs),
    "bkill": ("cancel", _bkill),
    "bslots": ("nodes", _bslots),
}
