"""The batch job in which a launcher runs: its id, and how long it lasts yet."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from balsam.lib.commands import Answer, Command, run_command
from balsam.platform.scheduler.registry import current_allocation, load_scheduler

__all__ = ["BatchJob", "surrounding_batch_job"]

#: Left of the time that the scheduler tells, for reporting the ends; of a short one, this part.
_MARGIN_MIN = 0.25
_MARGIN_PART = 0.1


@dataclass(frozen=True, slots=True)
class BatchJob:
    """One batch job, as its scheduler names it."""

    scheduler: str
    scheduler_id: str

    @property
    def is_local(self) -> bool:
        """Of the queue of this machine, to which no node belongs and no MPI launcher pays heed."""
        return self.scheduler == "local"

    def time_limit_min(self, run: Callable[[Command], Answer] = run_command) -> float | None:
        """Ask how many minutes a launcher may use; None for no limit, or where nobody tells."""
        adapter = load_scheduler(self.scheduler)
        command = adapter.time_left_command(self.scheduler_id)
        left = adapter.parse_time_left(run(command)) if command else None
        return None if left is None else left - min(_MARGIN_MIN, left * _MARGIN_PART)


def surrounding_batch_job(environ: Mapping[str, str]) -> BatchJob | None:
    """Return the batch job in whose environment this is; None outside of one."""
    found = current_allocation(environ)
    return BatchJob(found.scheduler, found.scheduler_id) if found else None
