"""From facts to words: which part of the story a state belongs to; pure."""

from collections.abc import Callable, Mapping

from balsam.core.explain.ended import on_failed, on_finished, on_killed
from balsam.core.explain.facts import Facts, Said
from balsam.core.explain.runnable import on_ready, on_running
from balsam.core.explain.waiting import on_parents, on_step
from balsam.schemas.explanations import Explanation
from balsam.states import JobState as S

__all__ = ["explain"]

_BY_STATE: Mapping[S, Callable[[Facts], Said]] = {
    S.CREATED: on_parents,
    S.AWAITING_PARENTS: on_parents,
    S.READY: on_step,
    S.STAGED_IN: on_step,
    S.PREPROCESSED: on_ready,
    S.RUNNING: on_running,
    S.RUN_DONE: on_step,
    S.RUN_ERROR: on_step,
    S.RUN_TIMEOUT: on_step,
    S.RESTART_READY: on_ready,
    S.POSTPROCESSED: on_step,
    S.JOB_FINISHED: on_finished,
    S.FAILED: on_failed,
    S.USER_KILLED: on_killed,
}


def explain(facts: Facts) -> Explanation:
    """Say why a job is where it is, and what comes next."""
    job = facts.job
    said = _BY_STATE[job.state](facts)
    return Explanation(
        id=job.number,
        job_id=job.job_id,
        name=job.name,
        site=facts.site.name,
        state=job.state.value,
        reason=str(said.reason),
        needs_you=said.needs_you,
        text=said.text,
        details=said.details,
        next_step=said.next_step,
        output=job.output,
        host=facts.host,
    )
