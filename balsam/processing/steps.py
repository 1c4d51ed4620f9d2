"""Do the next step of one job: links to files of parents, a hook, or the handling of an error.

`perform` uses no database and never raises: whatever goes wrong fails this one job, with the reason.
"""

import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from balsam.exceptions import StepError, StepInterrupted
from balsam.processing.hooks import HOOK_TIMEOUT_SEC, POSTPROCESS, PREPROCESS, HookKind, run_hook
from balsam.processing.interruption import Interruption
from balsam.processing.parents import link_parents
from balsam.schemas.jobs import StepResult, StepSpec
from balsam.states import JobState as S

__all__ = ["hand_back", "perform"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Step:
    """A job to step: what its actions need besides."""

    spec: StepSpec
    interruption: Interruption
    hook_timeout_sec: float

    def run_hook(self, kind: HookKind, command: str, note: str = "") -> None:
        run_hook(kind, command, self.spec, self.interruption, timeout_sec=self.hook_timeout_sec, note=note)


#: What a step leads to, and notes for the history.
_Outcome = tuple[S, list[str]]


def perform(
    spec: StepSpec, interruption: Interruption, *, hook_timeout_sec: float = HOOK_TIMEOUT_SEC
) -> StepResult | None:
    """Do the step of a job that its state asks for; return the state it leads to.

    None when the step was interrupted: nothing of it runs any more, and it may be done again from the start.
    """
    step = _Step(spec, interruption, hook_timeout_sec)
    try:
        interruption.check()
        state, notes = _outcome(step)
    except StepInterrupted:
        return None
    except StepError as error:
        return _result(spec, S.FAILED, str(error))
    except OSError as error:
        log.warning("Job %s cannot do its step from %s", spec.job_id, spec.state.value, exc_info=True)
        return _result(spec, S.FAILED, f"The step from {spec.state.value} failed: {error}")
    except Exception as error:
        log.exception("Job %s: the step from %s broke", spec.job_id, spec.state.value)
        return _result(
            spec, S.FAILED, f"The step from {spec.state.value} broke: {type(error).__name__}: {error}"
        )
    return _result(spec, state, "\n".join(notes))


def hand_back(spec: StepSpec, reason: str) -> StepResult:
    """Return the result that frees a job whose step was not done, so that somebody does it again."""
    return _result(spec, spec.state, reason)


def _outcome(step: _Step) -> _Outcome:
    spec = step.spec
    action = _ACTIONS.get(spec.state)
    if action is None:
        raise StepError(f"Nothing is to be done for a job that is {spec.state.value}.")
    if spec.problem:
        raise StepError(spec.problem)
    _make_workdir(spec.workdir)
    return action(step)


def _make_workdir(path: str) -> None:
    try:
        os.makedirs(path, exist_ok=True)
    except OSError as error:
        raise StepError(
            f"Cannot use the working directory {path}: {os.strerror(error.errno or 0).lower()}. "
            "Move what is in the way, or set the job's user_workdir to another directory."
        ) from error


def _link(step: _Step) -> _Outcome:
    # What was brought in is there already: its names are never linked over.
    return S.STAGED_IN, link_parents(step.spec, step.interruption)


def _preprocess(step: _Step) -> _Outcome:
    step.run_hook(PREPROCESS, step.spec.preprocess)
    return S.PREPROCESSED, []


def _postprocess(step: _Step) -> _Outcome:
    step.run_hook(POSTPROCESS, step.spec.postprocess)
    return S.POSTPROCESSED, []


def _handle(step: _Step) -> _Outcome:
    """Let the postprocess hook decide what becomes of a failed job.

    It does so by moving the job itself; then the database refuses the outcome returned here.
    """
    spec = step.spec
    wants = spec.post_error_handler if spec.state is S.RUN_ERROR else spec.post_timeout_handler
    if not wants or not spec.postprocess.strip():
        raise StepError(f"The job is {spec.state.value}, and its application has no hook to handle that.")
    step.run_hook(POSTPROCESS, spec.postprocess, note=f"handling the state {spec.state.value}")
    raise StepError(
        "The postprocess hook ended without an error, but did not change the job's state "
        f"from {spec.state.value}. A handler has to, for example with "
        "`dag.current_job.update_state('RESTART_READY')`, or 'JOB_FINISHED'."
    )


_ACTIONS: Mapping[S, Callable[[_Step], _Outcome]] = {
    S.READY: _link,
    S.STAGED_IN: _preprocess,
    S.RUN_DONE: _postprocess,
    S.RUN_ERROR: _handle,
    S.RUN_TIMEOUT: _handle,
}


def _result(spec: StepSpec, state: S, message: str) -> StepResult:
    """Report in text that a database can store: file names may hold bytes that are no text."""
    storable = message.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\0")
    return StepResult(job_id=spec.job_id, from_state=spec.state, to_state=state, message=storable)
