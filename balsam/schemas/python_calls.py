"""How a launcher hands a call of a Python application to the process of its job, and gets the outcome back.

Both are files, or pass through one anonymous file. Whatever is in place of an outcome that is not of this
form is no outcome.
"""

import json
from dataclasses import asdict

from balsam.schemas.jobs import AppCode, JobSpec
from balsam.schemas.resources import BALSAM_DIR, SERIALIZED_LIMIT

__all__ = ["Outcome", "call_name", "call_text", "outcome_path", "outcome_text", "read_outcome"]

#: What was returned, and what was raised; '' for neither.
Outcome = tuple[str, str]
#: Bytes of an outcome, in whatever is read for one.
MAX_OUTCOME_BYTES = 2 * SERIALIZED_LIMIT + 1000


def call_name(spec: JobSpec) -> str:
    """Name the file of a call, below the working directory: jobs and attempts may share one."""
    return f"{BALSAM_DIR}/{spec.job_id}.{spec.attempt}.call"


def outcome_path(call_path: str) -> str:
    """Name the file of the outcome of a call."""
    return f"{call_path.removesuffix('.call')}.outcome"


def call_text(app: AppCode, spec: JobSpec) -> str:
    """Write a call."""
    return json.dumps({"app": asdict(app), "record": spec.record})


def outcome_text(value: str = "", exception: str = "") -> str:
    """Write an outcome."""
    return json.dumps({"value": value, "exception": exception})


def read_outcome(data: bytes) -> Outcome:
    """Read what a job has left; ('', '') when that is no outcome, as after a crash."""
    try:
        found = json.loads(data)
        outcome = (found["value"], found["exception"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return "", ""
    return outcome if all(map(_is_serialized, outcome)) else ("", "")


def _is_serialized(text: object) -> bool:
    return isinstance(text, str) and len(text) <= SERIALIZED_LIMIT and text.isascii() and text.isprintable()
