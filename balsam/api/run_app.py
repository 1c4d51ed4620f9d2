"""``python -m balsam.api.run_app``: call the ``run`` of a Python application, in every rank of its job.

Arguments come from the job's record, and what rank 0 returns or raises goes there: neither passes through a
command line or the output of the job.
"""

import sys
import traceback
from typing import Any

from balsam.api.current_job import current_job, instance_for
from balsam.api.models import Job
from balsam.api.ranks import rank_of
from balsam.api.serializing import dump, dump_exception
from balsam.exceptions import BalsamError

__all__ = ["main"]


def main() -> int:
    """Run the application; return the exit code, which is 1 when it raised."""
    job = current_job()
    try:
        value = _run(job)
    except BaseException as error:
        if _is_first(job):
            _store(job.id, exception=dump_exception(error))
        if isinstance(error, SystemExit | KeyboardInterrupt):
            raise
        traceback.print_exc()
        return 1
    if _is_first(job):
        _store(job.id, value=value)
    return 0


def _run(job: Job) -> str:
    """Return what the application returns, serialized; '' in the other ranks."""
    run: Any = instance_for(job).run  # type: ignore[attr-defined]
    result = run(**job.get_parameters())
    return dump(result, "What run returned") if _is_first(job) else ""


def _is_first(job: Job) -> bool:
    return rank_of(job.num_nodes * job.ranks_per_node) == 0


def _store(number: int, *, value: str = "", exception: str = "") -> None:
    """Keep one of both with the job; what ``run`` has changed in its job otherwise is not sent."""
    Job.objects.filter(id=number).update(serialized_return_value=value, serialized_exception=exception)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BalsamError as problem:
        sys.exit(str(problem))
