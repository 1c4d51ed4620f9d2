"""Which state follows without work: the pure part of the state machine.

Trivial steps cost nothing: a job without parents, staging and preprocess is PREPROCESSED when it is saved,
and one without postprocess and stage-out is JOB_FINISHED in the statement that records RUN_DONE.
"""

from dataclasses import dataclass
from functools import lru_cache

from balsam.states import JobState as S

#: Passed through without an entry in the history.
_SILENT = frozenset((S.CREATED, S.READY, S.STAGED_IN, S.POSTPROCESSED))


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What decides a job's next step."""

    app_known: bool = True
    has_preprocess: bool = False
    has_postprocess: bool = False
    #: Files come from elsewhere; go elsewhere; are linked from parents.
    transfers_in: bool = False
    stages_out: bool = False
    links_parents: bool = False
    wait_for_parents: bool = True
    pending_parents: int = 0
    #: Parents that have failed or were killed, where that fails the job.
    failed_parents: int = 0
    post_error_handler: bool = False
    post_timeout_handler: bool = False
    auto_timeout_retry: bool = True
    timeouts: int = 0
    max_timeout_retries: int = 25
    errors: int = 0
    max_error_retries: int = 0

    @property
    def stages_in(self) -> bool:
        """Something is to be put into the working directory first."""
        return self.transfers_in or self.links_parents


def next_state(state: S, facts: Facts) -> tuple[S, str] | None:
    """Return the state that follows at once, with a message, or None where work or an event comes first."""
    match state:
        case S.CREATED | S.AWAITING_PARENTS:
            return _after_parents(state, facts)
        case S.READY:
            return (S.STAGED_IN, "") if facts.app_known and not facts.stages_in else None
        case S.STAGED_IN:
            return (S.PREPROCESSED, "") if facts.app_known and not facts.has_preprocess else None
        case S.RUN_DONE:
            return (S.POSTPROCESSED, "") if not facts.has_postprocess else None
        case S.POSTPROCESSED:
            return (S.JOB_FINISHED, "") if not facts.stages_out else None
        case S.RUN_ERROR:
            return _after_error(facts)
        case S.RUN_TIMEOUT:
            return _after_timeout(facts)
        case _:
            return None


def _after_parents(state: S, facts: Facts) -> tuple[S, str] | None:
    if not facts.wait_for_parents:
        return S.READY, ""
    if facts.failed_parents:
        return S.FAILED, "One or more parents failed"
    if facts.pending_parents <= 0:
        return S.READY, ""
    return None if state is S.AWAITING_PARENTS else (S.AWAITING_PARENTS, "")


def _after_error(facts: Facts) -> tuple[S, str] | None:
    if facts.post_error_handler and facts.has_postprocess:
        return None
    if facts.errors <= facts.max_error_retries:
        return S.RESTART_READY, f"Retry {facts.errors} of {facts.max_error_retries} after an error"
    return S.FAILED, ""


def _after_timeout(facts: Facts) -> tuple[S, str] | None:
    if facts.post_timeout_handler and facts.has_postprocess:
        return None
    if not facts.auto_timeout_retry:
        return S.FAILED, "Timed out, and the job does not restart by itself (auto_timeout_retry is off)"
    if facts.timeouts > facts.max_timeout_retries:
        return (
            S.FAILED,
            f"Timed out {facts.timeouts} times; max_timeout_retries is {facts.max_timeout_retries}",
        )
    return S.RESTART_READY, f"Restart {facts.timeouts} of {facts.max_timeout_retries} after a timeout"


@lru_cache(1024)  # of most jobs of a batch the facts are the same
def settle(state: S, facts: Facts) -> tuple[tuple[S, str], ...]:
    """Return the states to record after ``state``, in order; the last one is where the job stays.

    States that are only passed through are left out, unless the job stays in one.
    """
    recorded: list[tuple[S, str]] = []
    pending: tuple[S, str] | None = None
    step = next_state(state, facts)
    while step is not None:
        if step[0] not in _SILENT:
            recorded.append(step)
            pending = None
        else:
            pending = step
        step = next_state(step[0], facts)
    return (*recorded, *([] if pending is None else [pending]))
