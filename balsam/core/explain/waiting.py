"""Why a job waits for parents, or for a hook or staging: pure."""

from dataclasses import replace

from balsam.core.explain import commands
from balsam.core.explain.facts import Facts, ParentFacts, ProcessFacts, Said, TransferFacts
from balsam.core.explain.fitting import left_out
from balsam.core.explain.words import capital
from balsam.lib.durations import human_duration
from balsam.schemas.explanations import Reason as R
from balsam.states import JobState as S

__all__ = ["holder_lost", "named", "no_app", "on_parents", "on_step"]

_SHOWN = 5
_NEW_SEC = 60.0
_FAILED = (S.FAILED, S.USER_KILLED)
#: State -> what is to be done in it.
_STEPS = {
    S.READY: "its input files are to be staged in",
    S.STAGED_IN: "the preprocess hook is to run",
    S.RUN_DONE: "its program has ended well, and the postprocess hook is to run",
    S.RUN_ERROR: "its program failed, and the hook that handles errors is to run",
    S.RUN_TIMEOUT: "its program ran out of time, and the hook that handles that is to run",
    S.POSTPROCESSED: "its output files are to be staged out",
}
#: Loops of an agent that do steps.
_STEP_LOOPS = ("processing", "steps", "transfers")


def on_parents(facts: Facts) -> Said:
    """Explain CREATED and AWAITING_PARENTS."""
    failed = [parent for parent in facts.parents if parent.state in _FAILED]
    if failed and facts.job.holds_for_failed_parent:
        return Said(
            reason=R.PARENT_FAILED,
            text=f"It is held: its parent, {named(failed[0])}.",
            details=_parent_lines(facts.parents),
            next_step=f"{commands.explain_other(failed[0].number)} says why. Then have the parent run again, "
            f"or go on without it: {commands.change(facts, '--set-state PREPROCESSED')}.",
            needs_you=True,
        )
    if facts.parents:
        first = facts.parents[0]
        count = len(facts.parents)
        return Said(
            reason=R.PARENTS,
            text=f"It waits for {named(first)}."
            if count == 1
            else f"It waits for parents: {count} of its {facts.num_parents} have not finished.",
            details=_parent_lines(facts.parents) if count > 1 else (),
            next_step=f"It goes on when all have finished. {commands.explain_other(first.number)} says where "
            "the first of them is.",
        )
    if facts.job.in_state_sec < _NEW_SEC:
        return Said(
            reason=R.NEW,
            text="It has been saved this moment.",
            next_step="It goes on by itself; ask again.",
        )
    return Said(
        reason=R.NO_PARENT,
        text="It waits for parents, and all it has have finished: that should not be.",
        next_step=f"{commands.change(facts, '--set-state CREATED')} has its parents counted anew.",
        needs_you=True,
    )


def named(parent: ParentFacts) -> str:
    """Name a parent with its state."""
    at = f" at the site {parent.site}" if parent.site else ""
    return f"job {parent.number} ({parent.name}){at}, which is {parent.state.value}"


def _parent_lines(parents: tuple[ParentFacts, ...]) -> tuple[str, ...]:
    lines = [f"Parent: {named(parent)}." for parent in parents[:_SHOWN]]
    return (*lines, *([f"… and {len(parents) - _SHOWN} more."] if len(parents) > _SHOWN else []))


def on_step(facts: Facts) -> Said:
    """Explain the states in which a hook or staging is next, with the transfers that are waited for."""
    said = _on_step(facts)
    if not facts.transfers:
        return said
    lines = tuple(_transfer_line(transfer, said.text) for transfer in facts.transfers)
    see = f" `balsam transfer ls --job {facts.job.number}` shows them; `balsam transfer retry` tries at once."
    return replace(said, details=(*said.details, *lines), next_step=said.next_step + see)


def _transfer_line(transfer: TransferFacts, text: str) -> str:
    tries = f", after {transfer.failures} tries that failed" if transfer.failures else ""
    word = f": {transfer.message}" if transfer.message and transfer.message not in text else "."
    return f"Transfer {transfer.number}, {transfer.place}, is {transfer.state.value}{tries}{word}"


def _on_step(facts: Facts) -> Said:
    if not facts.has_app:
        return no_app(facts)
    what = _STEPS[facts.job.state]
    holder = facts.holder
    if holder is not None and holder.is_lost:
        return holder_lost(facts, holder)
    if holder is not None:
        return Said(
            reason=R.STEP_RUNS,
            text=f"{capital(what)}: {holder.text} has begun that {human_duration(facts.job.in_state_sec)} "
            "ago at the earliest.",
            next_step="It goes on when that is done. A hook that hangs is seen in preprocess.log or "
            f"postprocess.log in {facts.job.output.rpartition('/')[0]}.",
        )
    return _without_holder(facts, what)


def _without_holder(facts: Facts, what: str) -> Said:
    """Explain a step that nobody has begun."""
    if facts.transfers and facts.agent and not facts.agent.is_lost and not facts.agent.moves_files:
        return Said(
            reason=R.NO_MOVER,
            text=f"{capital(what)}, and {facts.agent.text} moves no files: `transfers` is null in the "
            "settings of its site. Launchers leave that to an agent while there is one.",
            next_step=f"Give {facts.site.path}/settings.yml a section `transfers`, then `balsam site sync`; "
            "or stop the agent, and a launcher does it.",
            needs_you=True,
        )
    up = [p for p in facts.processes if not p.is_lost]
    live = [p for p in up if not _why_not(facts, p)]
    agent = facts.agent
    if agent is not None and not agent.is_lost:
        if agent in live and (failure := _failure_of(agent)):
            return Said(
                reason=R.AGENT_FAILS,
                text=f"{capital(what)}, and {agent.text} fails at that: {failure}",
                next_step="Mend what it names; it tries again by itself. The whole story is in the log "
                f"directory of {facts.site.path}.",
                needs_you=True,
            )
    elif not up and agent is not None:
        return Said(
            reason=R.AGENT_SILENT,
            text=f"{capital(what)}, and {agent.text} {_silence(agent)}.",
            next_step=commands.start_agent(facts),
            needs_you=True,
        )
    if not live:
        return Said(
            reason=R.NO_AGENT,
            text=f"{capital(what)}, and nobody is there to do it: "
            + ("no service and no launcher runs." if facts.site.is_first else "the site has no agent.")
            if not up
            else f"{capital(what)}, and none of those there does it.",
            details=tuple(f"{capital(p.text)} {_why_not(facts, p)}." for p in up),
            next_step=commands.start_agent(facts),
            needs_you=True,
        )
    if waits := next((transfer for transfer in facts.transfers if transfer.needs_you), None):
        return Said(
            reason=R.TRANSFER_NEEDS_YOU,
            text=f"{capital(what)}, and that waits for you. {waits.message}",
            next_step="Do what that says; it goes on by itself then.",
            needs_you=True,
        )
    return Said(
        reason=R.STEP_WAITS,
        text=f"{capital(what)}; {live[-1].text} does that as soon as it can.",
        details=_last_trouble(facts),
        next_step="It goes on by itself.",
    )


def _why_not(facts: Facts, process: ProcessFacts) -> str:
    """Say why a process does not do the steps of this job; '' when it does."""
    if not process.does_steps:
        return "does no hooks and no staging: its settings have that switched off"
    return ", and ".join(left_out(facts.job, process.tags, str(process.about.get("workflow", ""))))


def _failure_of(agent: ProcessFacts) -> str:
    """Return the last error of the loop that does steps, where it fails now."""
    for loop in agent.about.get("loops", ()):
        if loop.get("name") in _STEP_LOOPS and loop.get("failures_in_a_row"):
            return str(loop.get("last_error", "")).rstrip(".") + "."
    return ""


def _last_trouble(facts: Facts) -> tuple[str, ...]:
    """Return what was last said of the job without moving it."""
    last = facts.events[-1] if facts.events else None
    return (f"Last word: {last.message}",) if last and last.message and last.cause else ()


def no_app(facts: Facts) -> Said:
    """Explain that a job has no application."""
    name = facts.app_name
    return Said(
        reason=R.NO_APP,
        text=f"There is no application named {name!r}." if name else "It names no application.",
        next_step="`balsam app ls --site all` lists them. Define it, or set another: "
        f"`balsam modify {facts.job.job_id} application NAME`.",
        needs_you=True,
    )


def holder_lost(facts: Facts, holder: ProcessFacts) -> Said:
    """Explain that whoever has the job is gone."""
    others = [p for p in facts.processes if not p.is_lost and p.session_id != holder.session_id]
    when = f"when the lease ends, in {human_duration(holder.lease_sec)}" if holder.lease_sec > 0 else "now"
    is_running = facts.job.state is S.RUNNING
    return Said(
        reason=R.HOLDER_LOST,
        text=f"{capital(holder.text)} has it, and {_silence(holder)}.",
        details=("Its program may still run, if only the connection is gone.",) if is_running else (),
        next_step=f"{capital(others[0].text)} takes it over {when}."
        if others
        else f"{commands.start_launcher(facts)} takes it over {when}; at once, on the same host.",
        needs_you=not others,
    )


def _silence(process: ProcessFacts) -> str:
    if process.is_dead:
        return "has died"
    return f"has not been heard of for {human_duration(process.silent_sec)}"
