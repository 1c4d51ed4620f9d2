"""What a program asks for that takes jobs by a session of the Python API; the names are those on the wire."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from balsam.exceptions import UnknownFieldError, UsageError
from balsam.states import RUNNABLE_STATES, STATES

__all__ = ["MAX_ACQUIRED", "AcquireRequest"]

#: Jobs of one call.
MAX_ACQUIRED = 2_048
_SORTS = (None, "long_large_first")


@dataclass(frozen=True, slots=True, kw_only=True)
class AcquireRequest:
    """Ask for at most ``max_num_jobs`` jobs. None sets no bound; a wall time of 0 neither.

    Raises UsageError for what cannot be.
    """

    max_num_jobs: int
    max_wall_time_min: int | None = None
    max_nodes_per_job: int | None = None
    #: Of all jobs together; one that shares a node counts as its part of it.
    max_aggregate_nodes: float | None = None
    serial_only: bool = False
    sort_by: str | None = None
    filter_tags: Mapping[str, str] = field(default_factory=dict)
    states: list[str] = field(default_factory=lambda: [state.value for state in RUNNABLE_STATES])
    #: None given: any.
    app_ids: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not _is_whole(self.max_num_jobs) or not 1 <= self.max_num_jobs <= MAX_ACQUIRED:
            raise UsageError(f"max_num_jobs is {self.max_num_jobs!r}; it must be from 1 to {MAX_ACQUIRED}.")
        if self.sort_by not in _SORTS:
            raise UsageError(f"sort_by is {self.sort_by!r}; it must be None or long_large_first.")
        for name in ("max_wall_time_min", "max_nodes_per_job", "max_aggregate_nodes"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int | float) or value < 0):
                raise UsageError(f"{name} is {value!r}; it must be a number, or None.")
        if unknown := [state for state in self.states if state not in STATES]:
            raise UsageError(f"{unknown[0]!r} is no job state. The states are: {', '.join(STATES)}.")
        if not isinstance(self.filter_tags, Mapping) or not all(map(_is_whole, self.app_ids)):
            raise UsageError("filter_tags is a dict, and app_ids a list of numbers.")

    @classmethod
    def from_wire(cls, body: Mapping[str, Any]) -> "AcquireRequest":
        """Read a request that came as JSON; raises UnknownFieldError, UsageError."""
        known = {found.name for found in fields(cls)}
        if unknown := sorted(set(body) - known):
            raise UnknownFieldError(
                f"{unknown[0]!r} is nothing jobs are acquired by: {', '.join(sorted(known))}."
            )
        if "max_num_jobs" not in body:
            raise UsageError("Say how many jobs: max_num_jobs.")
        return cls(**body)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
