"""Kill jobs, and everything below them where that is asked for."""

import re
import uuid

from balsam.core import transitions
from balsam.core.job_tree import descendants
from balsam.core.models import BalsamJob
from balsam.exceptions import AmbiguousError, NotFoundError, RefusedError
from balsam.states import END_STATES, JobState


def find_by_prefix(prefix: str) -> BalsamJob:
    """Return the one job whose id starts with ``prefix``, in either case, with or without hyphens.

    Raises NotFoundError or AmbiguousError.
    """
    digits = prefix.strip().replace("-", "").lower()
    if not re.fullmatch(r"[0-9a-f]{1,32}", digits):
        raise NotFoundError(f"No job has an id that starts with {prefix!r}. `balsam ls` shows the ids.")
    first, last = uuid.UUID(digits.ljust(32, "0")), uuid.UUID(digits.ljust(32, "f"))
    found = list(BalsamJob.objects.filter(pk__gte=first, pk__lte=last).order_by("number")[:4])
    if not found:
        raise NotFoundError(f"No job has an id that starts with {prefix!r}. `balsam ls` shows the ids.")
    if len(found) > 1:
        names = ", ".join(job.cute_id for job in found[:3]) + (", ..." if len(found) > 3 else "")
        raise AmbiguousError(
            f"Several jobs have ids that start with {prefix!r}: {names}. Give more of the id."
        )
    return found[0]


def jobs_to_kill(job: BalsamJob, *, recursive: bool) -> list[uuid.UUID]:
    """Return the ids of the job, and with ``recursive`` of its descendants, that have not ended.

    Raises RefusedError when all of them have.
    """
    ids = descendants([job.job_id]) if recursive else [job.job_id]
    living = BalsamJob.objects.filter(pk__in=ids).exclude(state__in=END_STATES).job_ids()
    if not living:
        below = " and so is all below it" if recursive and len(ids) > 1 else ""
        raise RefusedError(f"Job {job.cute_id} is {job.state} already{below}; there is nothing to kill.")
    return living


def kill_tree(job_id: uuid.UUID, *, recursive: bool) -> list[uuid.UUID]:
    """Kill a job, and with ``recursive`` all below it; return the ids of those killed.

    Jobs that have ended stay as they are.
    """
    ids = descendants([job_id]) if recursive else [job_id]
    return transitions.set_state(ids, JobState.USER_KILLED, "Killed by the user")


def kill_jobs(ids: list[uuid.UUID]) -> list[uuid.UUID]:
    """Kill jobs; return those killed. A launcher that runs one stops it at once."""
    return transitions.set_state(ids, JobState.USER_KILLED, "Killed by the user from the command line")
