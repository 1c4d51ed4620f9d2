"""How a job ended: pure."""

from balsam.core.explain import commands
from balsam.core.explain.facts import EventFacts, Facts, Said
from balsam.core.explain.waiting import named
from balsam.lib.durations import human_duration
from balsam.schemas.explanations import Reason as R
from balsam.states import END_STATES
from balsam.states import JobState as S

__all__ = ["on_failed", "on_finished", "on_killed"]

#: Of a program's output in an explanation.
_LINES = 8


def on_finished(facts: Facts) -> Said:
    """Explain JOB_FINISHED."""
    ago = human_duration(facts.job.in_state_sec)
    if facts.is_to_be_cleaned:
        return Said(
            reason=R.TO_BE_CLEANED,
            text=f"It finished {ago} ago. The agent of the site is still to delete the files that its "
            "application does not want to keep.",
            next_step="Nothing is left to do where the site has an agent with a file_cleaner in its "
            "settings.yml.",
        )
    if facts.cleans:
        return Said(
            reason=R.CLEANED,
            text=f"It finished {ago} ago. The files that its application does not want to keep have been "
            "deleted.",
            next_step=f"Nothing is left to do. {commands.logs(facts)} shows its output, if that was kept.",
        )
    return Said(
        reason=R.FINISHED,
        text=f"It finished {ago} ago.",
        next_step=f"Nothing is left to do. {commands.logs(facts)} shows its output.",
    )


def on_killed(facts: Facts) -> Said:
    """Explain USER_KILLED."""
    last = _entry(facts, S.USER_KILLED)
    said = f" ({last.message.rstrip('.')})" if last is not None and last.message else ""
    return Said(
        reason=R.KILLED,
        text=f"A user killed it {human_duration(facts.job.in_state_sec)} ago{said}.",
        next_step="A killed job stays killed; create another one to run it again.",
    )


def on_failed(facts: Facts) -> Said:
    """Explain FAILED, from the last entries of the history."""
    last = _entry(facts, S.FAILED)
    cause = last.cause if last is not None else ""
    message = last.message if last is not None else ""
    if cause.startswith("parent"):
        return _parent_failed(facts, message)
    if cause == "user":
        said = f": {message}" if message else "."
        return Said(
            reason=R.FAILED_BY_USER,
            text=f"A user has set it to FAILED{said}",
            next_step=f"{commands.run_again(facts)} runs it again.",
            needs_you=True,
        )
    error = _before_the_end(facts)
    if error is not None and error.state is S.RUN_ERROR:
        return _program_failed(facts, error, message)
    if error is not None and error.state is S.RUN_TIMEOUT:
        return Said(
            reason=R.TIMED_OUT,
            text=message.rstrip(".") + "." if message else "It ran out of time.",
            next_step=f"Give it more time, then run it again: {commands.run_again(facts)}.",
            needs_you=True,
        )
    if facts.transfers:
        again = f"try it again: {commands.transfer_again(facts)}"
    else:
        again = f"run it again: {commands.run_again(facts)}"
    first, *rest = message.splitlines() or ["It failed, and its history does not say why."]
    return Said(
        reason=R.STEP_FAILED,
        text=first,
        details=tuple(rest[-_LINES:]),
        next_step=f"Mend that, then {again}.",
        needs_you=True,
    )


def _parent_failed(facts: Facts, message: str) -> Said:
    failed = next((parent for parent in facts.parents if parent.state in END_STATES), None)
    why = f"since its parent, {named(failed)}" if failed is not None else message.rstrip(".")
    first = f"{commands.explain_other(failed.number)} says more. " if failed is not None else ""
    return Said(
        reason=R.PARENT_FAILED,
        text=f"It never ran, {why}.",
        next_step=f"{first}Have the parent run again, then start this one over: "
        f"{commands.change(facts, '--set-state CREATED')}.",
        needs_you=True,
    )


def _program_failed(facts: Facts, error: EventFacts, message: str) -> Said:
    what, *output = error.message.splitlines() or [f"exit code {facts.job.return_code}"]
    lines = [f"| {line}" for line in output[-_LINES:]]
    said = (message.rstrip(".") + ".",) if message else ()
    ago = human_duration(error.age_sec)
    return Said(
        reason=R.PROGRAM_FAILED,
        text=f"Its program failed {ago} ago: {what}."
        + (f" It has been started {facts.job.attempt} times." if facts.job.attempt > 1 else "")
        + (" The end of its output:" if lines else ""),
        details=(*lines, *said),
        next_step=f"{commands.logs(facts)} shows all of its output; {commands.run_again(facts)} runs it "
        "again.",
        needs_you=True,
    )


def _entry(facts: Facts, state: S) -> EventFacts | None:
    return next((event for event in reversed(facts.events) if event.state is state), None)


def _before_the_end(facts: Facts) -> EventFacts | None:
    """Return what the job went through just before it failed."""
    moves = [event for event in facts.events if event.state is not S.FAILED]
    return moves[-1] if moves else None
