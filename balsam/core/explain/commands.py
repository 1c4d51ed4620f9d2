"""What to type next, with the names and numbers of this very job."""

from balsam.core.explain.facts import Facts
from balsam.core.explain.fitting import queue_for

__all__ = [
    "change",
    "explain_other",
    "get_nodes",
    "logs",
    "run_again",
    "start_agent",
    "start_launcher",
    "transfer_again",
]

#: For a batch job when the job itself is expected to be shorter.
_LEAST_MIN = 10


def _mode(facts: Facts) -> str:
    return "mpi" if facts.job.is_parallel else "serial"


def start_launcher(facts: Facts) -> str:
    """Return the command that starts a launcher which could run the job."""
    here = "" if facts.site.is_first else f"cd {facts.site.path} && "
    return f"`{here}balsam launcher --consume-all --job-mode {_mode(facts)}`"


def get_nodes(facts: Facts) -> str:
    """Return the command that gets nodes for the job."""
    if facts.site.is_first:
        return start_launcher(facts) + " here, or `balsam submit-launch` for nodes of the batch system."
    job, site = facts.job, facts.site
    queue = queue_for(job, site) or next(iter(site.queues), "QUEUE")
    project = site.projects[0] if site.projects else "PROJECT"
    minutes = max(_LEAST_MIN, job.wall_time_min)
    return (
        f"`balsam queue submit --site {site.name} -n {job.num_nodes} -t {minutes} -q {queue} -A {project} "
        f"-j {_mode(facts)}`"
    )


def start_agent(facts: Facts) -> str:
    """Return the command that starts what does hooks and staging."""
    if facts.site.is_first:
        return "`balsam service`, or a launcher, does it: " + start_launcher(facts) + "."
    return f"`cd {facts.site.path} && balsam site start`, on a host that has this directory."


def change(facts: Facts, what: str) -> str:
    """Return the command that changes the job."""
    return f"`balsam job modify --id {facts.job.number} {what}`"


def run_again(facts: Facts) -> str:
    """Return the command that runs an ended job again."""
    return change(facts, "--set-state RESTART_READY")


def transfer_again(facts: Facts) -> str:
    """Return the command that tries the transfers again for which a job has failed."""
    return f"`balsam transfer retry --job {facts.job.number}`"


def logs(facts: Facts, option: str = "") -> str:
    """Return the command that shows the output."""
    return f"`balsam job logs {facts.job.number}{option}`"


def explain_other(number: int) -> str:
    """Return the command that explains another job."""
    return f"`balsam job explain {number}`"
