"""The commands of OpenPBS and PBS Pro, as far as anything asks for them: https://openpbs.org"""

import json
import os
import time
from collections.abc import Callable, Mapping

from balsam.selftest.fakes.cluster import Cluster, Refusal
from balsam.selftest.fakes.ledger import Job
from balsam.selftest.fakes.listing import account_of, listed, shown_clock, shown_time
from balsam.selftest.fakes.mischief import Reply
from balsam.selftest.fakes.schedulers import Call
from balsam.selftest.fakes.words import BadWords, Options, directives, minutes_of, parse

__all__ = ["COMMANDS", "USAGE_CODE", "environ", "trouble"]

USAGE_CODE = 2
SERVER = "fake-pbs"
#: Why, the words, and the exit code: PBSE_ numbers modulo 256.
_REFUSALS = {
    "queue": ("qsub: Unknown queue", 170),
    "closed": ("qsub: Queue is not enabled", 184),
    "project": ("qsub: Request rejected. Reason: project {project} is not valid", 175),
    "nodes": ("qsub: Job violates queue and/or server resource limits", 188),
    "time": ("qsub: Job violates queue and/or server resource limits", 188),
    "limit": ("qsub: would exceed queue {queue}'s per-user limit of jobs in 'Q' state", 38),
    "script": ("qsub: script file:: No such file or directory", 1),
}
_QSUB = {
    "-A": ("project", True), "-q": ("queue", True), "-l": ("resources", True), "-N": ("name", True),
    "-o": ("stdout", True), "-e": ("stderr", True), "-j": ("join", True), "-h": ("hold", False),
    "-V": ("all", False), "-v": ("variables", True),
    # taken, and without effect here
    **dict.fromkeys(("-k", "-W", "-r", "-m", "-M", "-S", "-p", "-P", "-a", "-u"), ("other", True)),
    **dict.fromkeys(("-z", "-X"), ("other", False)),
}  # fmt: skip
_QSTAT = {
    "-f": ("full", False), "-F": ("format", True), "-x": ("history", False), "-u": ("user", True),
    "-t": ("arrays", False), "-w": ("wide", False), "-a": ("alternative", False), "-n": ("nodes", False),
    "-s": ("comments", False),
}  # fmt: skip
_LETTERS = {"queued": "Q", "held": "H", "running": "R", "ended": "F"}
#: Exit_status, by how a batch job ended; the negative ones are those of the execution host.
_CODES = {"cancelled": 271, "preempted": 271, "timeout": -29, "node_fail": -12, "out_of_memory": -27}
_COMMENTS = {
    "timeout": "Job killed: walltime exceeded limit", "node_fail": "Job held by node failure",
    "out_of_memory": "Job killed: mem exceeded limit", "preempted": "Job preempted by deletion",
    "cancelled": "Job was deleted",
}  # fmt: skip


def environ(cluster: Cluster, job: Job) -> dict[str, str]:
    """Return the variables of a batch script, and write its file of nodes."""
    node_file = os.path.join(cluster.ledger.directory, "spool", f"{job.seq}.nodes")
    with open(node_file, "w", encoding="ascii") as file:
        file.writelines(f"x{node}\n" for node in job.nodes.split())
    return {
        "PBS_JOBID": _id(job),
        "PBS_JOBNAME": job.name,
        "PBS_NODEFILE": node_file,
        "PBS_QUEUE": job.queue,
        "PBS_O_WORKDIR": job.cwd,
        "PBS_O_QUEUE": job.queue,
        "PBS_O_HOST": SERVER,
        "PBS_ENVIRONMENT": "PBS_BATCH",
    }


def trouble(command: str, *, is_done: bool) -> Reply:
    """Answer as where the server is down, or closes the connection."""
    if is_done:
        return Reply(stderr=f"{command}: End of File\n", code=167)
    why = f"Connection refused\n{command}: cannot connect to server {SERVER} (errno=111)\n"
    return Reply(stderr=why, code=111)


def _qsub(call: Call) -> Reply:
    options, words = parse(call.argv, _QSUB)
    if not words:
        raise BadWords("a script is to be named")
    script = call.path(words[0])
    given, _ = parse(directives(script, "#PBS"), _QSUB)
    said = {
        name: options.last(name, given.last(name))
        for name in ("name", "project", "queue", "stdout", "stderr")
    }
    resources = _resources(given) | _resources(options)
    cwd, name = call.cwd, said["name"] or os.path.basename(script)[:15]
    stdout = os.path.join(cwd, said["stdout"] or f"{name}.o%j")
    request = {
        "name": name,
        "project": said["project"],
        "queue": said["queue"],
        "num_nodes": resources.get("select", "1").split(":")[0],
        "minutes": str(
            minutes_of(resources.get("walltime", "1:00:00"), r"(?:(\d+):)?(\d+):(\d+)", (60, 1, 1 / 60))
        ),
        "cwd": cwd,
        "stdout": stdout,
        "stderr": stdout
        if "oe" in options.last("join")
        else os.path.join(cwd, said["stderr"] or f"{name}.e%j"),
    }
    try:
        job = call.submit(request, script, _passed_on(call, options, given), is_held="hold" in options)
    except Refusal as refusal:
        text, code = _REFUSALS[str(refusal)]
        return Reply(stderr=text.format(project=said["project"], queue=said["queue"]) + "\n", code=code)
    return Reply(f"{_id(job)}\n")


def _resources(options: Options) -> dict[str, str]:
    """Read ``-l select=2:ngpus=4 -l walltime=1:00:00,place=scatter``."""
    items = [item for value in options.get("resources", []) for item in value.split(",")]
    return {name: value for name, _, value in (item.partition("=") for item in items)}


def _passed_on(call: Call, options: Options, given: Options) -> dict[str, str]:
    """Return the environment of a batch job: PBS passes little on, unless it is told to."""
    if "all" in options or "all" in given:
        return dict(call.environ)
    named = [name.partition("=") for name in ",".join(options.get("variables", [])).split(",") if name]
    kept = ("HOME", "LANG", "LOGNAME", "PATH", "SHELL", "USER", "TZ")
    return {
        **{name: call.environ[name] for name in kept if name in call.environ},
        **{name: value if equals else call.environ.get(name, "") for name, equals, value in named},
    }


def _qstat(call: Call) -> Reply:
    options, words = parse(call.argv, _QSTAT)
    if options.last("format", "json") != "json" or "full" not in options:
        raise BadWords("the fake knows no other layout than that of -f -F json")
    with_ended = "history" in options
    jobs = account_of(call) if with_ended else listed(call, options.last("user"))
    known = {_id(job): job for job in jobs}
    problems = [f"qstat: Unknown Job Id {word}\n" for word in words if _full(word) not in known]
    shown = [known[_full(word)] for word in words if _full(word) in known] if words else list(known.values())
    document = {
        "timestamp": int(time.time()),
        "pbs_version": "23.06.06",
        "pbs_server": SERVER,
        "Jobs": {_id(job): _attributes(call, job) for job in shown},
    }
    if not shown:
        del document["Jobs"]
    return Reply(json.dumps(document) + "\n", "".join(problems), 153 if problems else 0)


def _attributes(call: Call, job: Job) -> dict[str, object]:
    """Return the attributes of one batch job as qstat -f shows them."""
    is_over = job.state == "ended"
    times = {"ctime": job.submitted, "qtime": job.submitted, "stime": job.started, "obittime": job.ended}
    shown: dict[str, object] = {
        "Job_Name": job.name,
        "Job_Owner": f"{job.user}@{SERVER}",
        "job_state": "E" if job.state == "running" and job.asked else _LETTERS[job.state],
        "queue": job.queue,
        "server": SERVER,
        "Account_Name": job.project,
        "mtime": _stamp(call, job.ended or job.started or job.submitted),
        **{name: _stamp(call, seconds) for name, seconds in times.items() if seconds is not None},
        "Hold_Types": "u" if job.state == "held" else "n",
        "Resource_List": {
            "nodect": job.num_nodes,
            "select": str(job.num_nodes),
            "walltime": shown_clock(job.minutes * 60),
        },
        "substate": 92 if is_over else 42 if job.state == "running" else 10,
        "Submit_arguments": job.script,
        "Variable_List": {"PBS_O_WORKDIR": job.cwd, "PBS_O_SYSTEM": "Linux"},
        "project": "_pbs_project_default",
    }
    if job.is_array:
        shown["array"] = "True"
    if job.started is not None:
        used = (job.ended or time.time()) - job.started
        # a minute of wall time may be short here
        walltime = shown_clock(used * 60 / call.cluster.settings.minute_sec)
        shown["resources_used"] = {"walltime": walltime}
    if is_over:
        shown["Exit_status"] = _CODES.get(job.end, job.exit_code or 0)
        shown["comment"] = _COMMENTS.get(job.end, "Job run and finished")
    elif job.state == "queued":
        shown["comment"] = "Not Running: Insufficient amount of resource"
    return shown


def _qdel(call: Call) -> Reply:
    _, words = parse(call.argv, {"-W": ("force", True), "-x": ("history", False)})
    for word in words:
        number = word.split(".")[0].rstrip("[]")
        job = call.cluster.find(int(number)) if number.isdecimal() else None
        if job is None:
            return Reply(stderr=f"qdel: Unknown Job Id {word}\n", code=153)
        if not call.cluster.ask(job, "cancelled"):
            return Reply(stderr=f"qdel: Job has finished {word}\n", code=35)
    return Reply()


def _pbsnodes(call: Call) -> Reply:
    options, _ = parse(call.argv, {"-a": ("all", False), "-F": ("format", True), "-S": ("short", False)})
    if options.last("format") != "json":
        raise BadWords("the fake knows no other layout than that of -a -F json")
    free = set(call.cluster.free_nodes())
    nodes = {
        f"x{node}": {
            "Mom": f"x{node}",
            "ntype": "PBS",
            "state": "free" if node in free else "job-exclusive",
            "pcpus": 32,
            "resources_available": {"host": f"x{node}", "ncpus": 32, "vnode": f"x{node}"},
            "resources_assigned": {},
            "queue": next(iter(call.cluster.settings.queues)),
        }
        for node in range(1, call.cluster.settings.num_nodes + 1)
    }
    document = {
        "timestamp": int(time.time()),
        "pbs_version": "23.06.06",
        "pbs_server": SERVER,
        "nodes": nodes,
    }
    return Reply(json.dumps(document) + "\n")


def _id(job: Job) -> str:
    return f"{job.id}{'[]' * job.is_array}.{SERVER}"


def _full(word: str) -> str:
    return word if "." in word else f"{word}.{SERVER}"


def _stamp(call: Call, seconds: float) -> str:
    return shown_time(call, "%a %b %e %H:%M:%S %Y", seconds)


COMMANDS: Mapping[str, tuple[str, Callable[[Call], Reply]]] = {
    "qsub": ("submit", _qsub),
    "qstat": ("list", _qstat),
    "qdel": ("cancel", _qdel),
    "pbsnodes": ("nodes", _pbsnodes),
}
