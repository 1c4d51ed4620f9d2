"""The commands of Slurm, as far as anything asks for them: https://slurm.schedmd.com/man_index.html"""

import os
from collections.abc import Callable, Mapping

from balsam.selftest.fakes.cluster import Cluster, Refusal
from balsam.selftest.fakes.ledger import Job
from balsam.selftest.fakes.mischief import Reply
from balsam.selftest.fakes.schedulers import Call
from balsam.selftest.fakes.slurm_listing import lay_out, nodelist, sacct, scontrol, shown_minutes, squeue
from balsam.selftest.fakes.words import BadWords, directives, minutes_of, parse

__all__ = ["COMMANDS", "USAGE_CODE", "environ", "trouble"]

USAGE_CODE = 1
_REFUSALS = {
    "queue": "invalid partition specified: {queue}\nsbatch: error: Batch job submission failed: "
    "Invalid partition name specified",
    "closed": "Batch job submission failed: Required partition not available (inactive or drain)",
    "project": "Batch job submission failed: Invalid account or account/partition combination specified",
    "nodes": "Batch job submission failed: Node count specification invalid",
    "time": "Batch job submission failed: Requested time limit is invalid (missing or exceeds some limit)",
    "limit": "QOSMaxSubmitJobPerUserLimit\nsbatch: error: Batch job submission failed: Job violates "
    "accounting/QOS policy (job submit limit, user's size and/or time limits)",
    "script": "Unable to open file {script}",
}
_SBATCH = {
    "-A": ("project", True), "--account": ("project", True), "-p": ("queue", True),
    "--partition": ("queue", True), "-N": ("nodes", True), "--nodes": ("nodes", True),
    "-t": ("time", True), "--time": ("time", True), "-J": ("name", True), "--job-name": ("name", True),
    "-D": ("cwd", True), "--chdir": ("cwd", True), "-o": ("stdout", True), "--output": ("stdout", True),
    "-e": ("stderr", True), "--error": ("stderr", True), "--parsable": ("parsable", False),
    "-H": ("hold", False), "--hold": ("hold", False),
    # taken, and without effect here
    **dict.fromkeys(
        ("-q", "--qos", "-C", "--constraint", "--export", "-n", "--ntasks", "--signal", "--open-mode", "-c",
         "--comment", "--cpus-per-task", "--ntasks-per-node", "-G", "--gpus", "--gpus-per-node", "--mem",
         "-L", "--licenses", "--reservation", "--gres", "--mail-type", "--mail-user"), ("other", True)),
    **dict.fromkeys(
        ("--requeue", "--no-requeue", "--exclusive", "-k", "--no-kill", "-Q", "--quiet"), ("other", False)),
}  # fmt: skip
_SCANCEL = {
    "-s": ("signal", True), "--signal": ("signal", True), "-b": ("batch", False), "--batch": ("batch", False),
    "-f": ("full", False), "--full": ("full", False), "-v": ("verbose", False), "-Q": ("quiet", False),
    "--verbose": ("verbose", False), "--quiet": ("quiet", False),
}  # fmt: skip
_SINFO = {
    "-h": ("bare", False), "--noheader": ("bare", False), "-o": ("format", True),
    "--format": ("format", True), "-t": ("states", True), "--states": ("states", True),
    "-e": ("exact", False), "--exact": ("exact", False),
}  # fmt: skip


def environ(cluster: Cluster, job: Job) -> dict[str, str]:
    """Return the variables of a batch script, over those of the submitter."""
    return {
        "SLURM_JOB_ID": str(job.id),
        "SLURM_JOBID": str(job.id),
        "SLURM_JOB_NAME": job.name,
        "SLURM_JOB_NUM_NODES": str(job.num_nodes),
        "SLURM_NNODES": str(job.num_nodes),
        "SLURM_JOB_NODELIST": nodelist(job),
        "SLURM_NODELIST": nodelist(job),
        "SLURM_JOB_PARTITION": job.queue,
        "SLURM_JOB_ACCOUNT": job.project,
        "SLURM_SUBMIT_DIR": job.cwd,
        "SLURM_CLUSTER_NAME": "fake",
        "SLURMD_NODENAME": f"n{job.nodes.split()[0]}",
    }


def trouble(command: str, *, is_done: bool) -> Reply:
    """Answer as where slurmctld is down, or does not answer in time."""
    down = "Unable to contact slurm controller (connect failure)"
    late = "Socket timed out on send/recv operation"
    what = {
        "sbatch": "sbatch: error: Batch job submission failed",
        "scancel": "scancel: error: Kill job error",
        "sacct": "sacct: error: slurm_persist_conn_open",
    }.get(command, "slurm_load_jobs error")
    return Reply(stderr=f"{what}: {late if is_done else down}\n", code=1)


def _sbatch(call: Call) -> Reply:
    options, words = parse(call.argv, _SBATCH)
    if not words:
        raise BadWords("error: a batch script is to be named")
    script = call.path(words[0])
    given, _ = parse(directives(script, "#SBATCH"), _SBATCH)
    said = {name: options.last(name, given.last(name)) for name in _NAMES}
    cwd = call.path(said["cwd"])
    stdout = os.path.join(cwd, said["stdout"] or "slurm-%j.out")
    request = {
        "name": said["name"] or os.path.basename(script),
        "project": said["project"],
        "queue": said["queue"],
        "num_nodes": said["nodes"].split("-")[0] or "1",
        "minutes": str(_minutes(said["time"] or "60")),
        "cwd": cwd,
        "stdout": stdout,
        "stderr": os.path.join(cwd, said["stderr"] or stdout),
    }
    try:
        job = call.submit(request, script, call.environ, is_held="hold" in options or "hold" in given)
    except Refusal as refusal:
        why = _REFUSALS[str(refusal)].format(queue=said["queue"], script=words[0])
        return Reply(stderr=f"sbatch: error: {why}\n", code=1)
    return Reply(f"{job.id}\n" if "parsable" in options else f"Submitted batch job {job.id}\n")


_NAMES = ("name", "project", "queue", "nodes", "time", "cwd", "stdout", "stderr")


def _minutes(text: str) -> int:
    """Read ``M``, ``M:S``, ``H:M:S``, ``D-H``, ``D-H:M`` and ``D-H:M:S``."""
    if "-" in text:
        return minutes_of(text, r"(\d+)-(\d+)(?::(\d+))?(?::(\d+))?", (1440, 60, 1, 1 / 60))
    if text.count(":") == 2:
        return minutes_of(text, r"(\d+):(\d+):(\d+)", (60, 1, 1 / 60))
    return minutes_of(text, r"(\d+)(?::(\d+))?", (1, 1 / 60))


def _scancel(call: Call) -> Reply:
    """Cancel; of ids that are not there, it says so only with -v, and ends with 0 all the same."""
    options, words = parse(call.argv, _SCANCEL)
    said = []
    for word in words:
        number = word.split("_")[0]
        job = call.cluster.find(int(number)) if number.isdecimal() else None
        said.append(f"scancel: Terminating job {word}\n")
        if job is None:
            said.append(f"scancel: error: Kill job error on job id {word}: Invalid job id specified\n")
        elif not call.cluster.ask(job, "cancelled"):
            why = "Job/step already completing or completed"
            said.append(f"scancel: error: Kill job error on job id {word}: {why}\n")
    return Reply(stderr="".join(said) if "verbose" in options else "")


def _sinfo(call: Call) -> Reply:
    options, _ = parse(call.argv, _SINFO)
    free, queues = len(call.cluster.free_nodes()), call.cluster.settings.queues
    counts = {"allocated": call.cluster.settings.num_nodes - free, "idle": free}
    lines = []
    for name, limits in queues.items():
        for state in (state for state, count in counts.items() if count):
            cells = {
                "P": name + "*" * (name == next(iter(queues))),
                "R": name,
                "a": "down" if limits.get("is_closed") else "up",
                "l": shown_minutes(limits["max_minutes"]) if "max_minutes" in limits else "infinite",
                "D": str(counts[state]),
                "T": state,
                "t": state[:5],
                "N": f"n[1-{counts[state]}]",
            }
            if state[:4] in options.last("states", state)[:4]:
                lines.append(lay_out(options.last("format", "%P %a %l %D %t %N"), cells))
    return Reply("".join(f"{line}\n" for line in lines))


def _sacctmgr(call: Call) -> Reply:
    """List the accounts of the user, whatever is asked for."""
    return Reply("".join(f"{project}\n" for project in call.cluster.settings.projects))


COMMANDS: Mapping[str, tuple[str, Callable[[Call], Reply]]] = {
    "sbatch": ("submit", _sbatch),
    "squeue": ("list", squeue),
    "sacct": ("history", sacct),
    "scancel": ("cancel", _scancel),
    "sinfo": ("nodes", _sinfo),
    "scontrol": ("nodes", scontrol),
    "sacctmgr": ("projects", _sacctmgr),
}
