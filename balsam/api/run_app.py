"""``python -m balsam.api.run_app FILE``: call the ``run`` of a Python application, in every rank of its job.

The file holds the call as the launcher wrote it; what rank 0 returns or raises is written beside it, and the
launcher reports it with the end of the job. Neither passes through a command line or the output of the job,
and nobody is asked for anything.
"""

import json
import os
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from balsam.api.app_classes import read_class
from balsam.api.models import Job
from balsam.api.ranks import rank_of
from balsam.api.serializing import dump, dump_exception
from balsam.exceptions import BalsamError, UsageError
from balsam.schemas.fields import Record
from balsam.schemas.jobs import AppCode
from balsam.schemas.python_calls import outcome_path, outcome_text

__all__ = ["Call", "main", "run_job"]

#: Takes what is told of the outcome.
Teller = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Call:
    """The application, and the record of the job."""

    app: AppCode
    record: Record


def main(path: str) -> int:
    """Run the call in a file; return the exit code, which is 1 when the application raised."""
    with open(path, encoding="utf-8") as file:
        message = json.load(file)

    def tell(text: str) -> None:
        _write(outcome_path(path), text)

    return run_job(Call(AppCode(**message["app"]), message["record"]), tell)


def run_job(call: Call, tell: Teller) -> int:
    """Run the application; in rank 0, tell the outcome. Returns the exit code."""
    job = Job._from_record(call.record)
    try:
        value = _run(call.app, job)
    except BaseException as error:
        if _is_first(job):
            tell(outcome_text(exception=dump_exception(error)))
        if isinstance(error, SystemExit | KeyboardInterrupt):
            raise
        traceback.print_exc()
        return 1
    if _is_first(job):
        tell(outcome_text(value=value))
    return 0


def _run(app: AppCode, job: Job) -> str:
    """Return what the application returns, serialized; '' in the other ranks."""
    run: Any = read_class(app)(job).run  # type: ignore[attr-defined]
    result = run(**job.get_parameters())
    return dump(result, "What run returned") if _is_first(job) else ""


def _is_first(job: Job) -> bool:
    return rank_of(job.num_nodes * job.ranks_per_node) == 0


def _write(path: str, text: str) -> None:
    """Write a file that is there as a whole or not at all."""
    fresh = f"{path}.new"
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(fresh, path)


if __name__ == "__main__":
    try:
        if len(sys.argv) != 2:
            raise UsageError("run_app is started by `balsam launcher`, with the file of a call; not by hand.")
        sys.exit(main(sys.argv[1]))
    except BalsamError as problem:
        sys.exit(str(problem))
