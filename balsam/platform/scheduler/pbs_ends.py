"""How a batch job of PBS ended: by its exit status, and by what else is known of it."""

from collections.abc import Mapping
from typing import Any

from balsam.platform.scheduler.answers import count
from balsam.platform.scheduler.times import minutes
from balsam.states import BatchJobEnd

__all__ = ["how_it_ended"]

E = BatchJobEnd

#: PBS Professional Administrator's Guide, "Job Exit Codes"; negative ones are of the execution host:
#: https://help.altair.com/2022.1.0/PBS%20Professional/PBSAdminGuide2022.1.pdf
_HOST_CODES = {
    -14: E.NODE_FAIL, -20: E.NODE_FAIL, -26: E.OUT_OF_MEMORY, -27: E.OUT_OF_MEMORY, -29: E.TIMEOUT,
}  # fmt: skip
#: Words of the comment that say more than the code.
_COMMENTS = (
    ("walltime", E.TIMEOUT),
    ("preempt", E.PREEMPTED),
    ("node fail", E.NODE_FAIL),
    ("mem exceeded", E.OUT_OF_MEMORY),
)
#: The script was killed by SIGTERM or SIGKILL: 256 + signal of PBS, 128 + signal of a shell.
_KILLED = (256 + 15, 256 + 9, 128 + 15, 128 + 9)
#: Of what was deleted, whether it ran or not.
_SUBSTATE_DELETED = "91"


def how_it_ended(job: Mapping[str, Any]) -> tuple[BatchJobEnd, str]:
    """Return the end of a batch job that has ended, and why, for people."""
    comment, code = str(job.get("comment", "")), _code(str(job.get("Exit_status", "")))
    if code == 0:
        return E.COMPLETED, ""
    reason = comment or (f"exit status {code}" if code is not None else "")
    found = next((end for word, end in _COMMENTS if word in comment.lower()), None)
    if found is not None:
        return found, reason
    if code is None:
        deleted = str(job.get("substate", "")) == _SUBSTATE_DELETED
        return E.CANCELLED if deleted else E.UNKNOWN, reason
    if code < 0:
        return _HOST_CODES.get(code, E.FAILED), reason
    if code in _KILLED:
        return (E.TIMEOUT if _used_all(job) else E.CANCELLED), reason
    return E.FAILED, reason


def _used_all(job: Mapping[str, Any]) -> bool:
    """Whether the wall time was over; what is used is counted with a delay of some seconds."""
    limit, used = (_walltime(job.get(name)) for name in ("Resource_List", "resources_used"))
    return limit is not None and used is not None and used >= limit


def _walltime(resources: object) -> float | None:
    return minutes(str(resources.get("walltime", ""))) if isinstance(resources, dict) else None


def _code(text: str) -> int | None:
    size = count(text.removeprefix("-"))
    return -size if size is not None and text.startswith("-") else size
