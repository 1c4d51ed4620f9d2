"""Why a job that could run does not, or who runs it: pure."""

from collections.abc import Iterator

from balsam.core.explain import commands
from balsam.core.explain.facts import BatchJobFacts, Facts, ProcessFacts, Said
from balsam.core.explain.fitting import (
    beyond_node,
    beyond_queues,
    misfit,
    room_of_launcher,
    rooms_of_batch_job,
)
from balsam.core.explain.waiting import holder_lost, no_app
from balsam.core.explain.words import capital, tags_text
from balsam.lib.durations import human_duration
from balsam.schemas.explanations import Reason as R
from balsam.states import BatchJobState as B
from balsam.states import JobState as S

__all__ = ["MAX_READY", "on_ready", "on_running"]

#: More ready jobs than this are not counted.
MAX_READY = 10_000
#: A launcher shows itself within this time of its batch job's start, if it ever does.
_LAUNCHER_SEC = 180.0


def on_ready(facts: Facts) -> Said:
    """Explain PREPROCESSED and RESTART_READY."""
    if facts.holder is not None:
        return _claimed(facts, facts.holder)
    if not facts.has_app:
        return no_app(facts)
    if beyond := beyond_node(facts.job, facts.site):
        return Said(
            reason=R.IMPOSSIBLE,
            text=f"{beyond}.",
            next_step=f"Ask for less: {commands.change(facts, '--gpus-per-rank N')}, or make the job at "
            "another site.",
            needs_you=True,
        )
    launchers = [launcher for launcher in facts.launchers if not launcher.is_lost]
    for launcher in launchers:
        if not _why_not(facts, launcher):
            return _busy(facts, launcher)
    batch_jobs = [b for b in facts.batch_jobs if b.state is not B.PENDING_DELETION]
    for batch_job in sorted(batch_jobs, key=lambda b: _NEARNESS[b.state]):
        if not _why_not_in(facts, batch_job, launchers):
            return _soon(facts, batch_job)
    return _nothing(facts, launchers, batch_jobs)


def _why_not(facts: Facts, launcher: ProcessFacts) -> str:
    """Say why a launcher cannot run the job, in its own words where it has said so; '' when it can."""
    own = facts.given_back.get(launcher.session_id)
    return own or misfit(facts.job, room_of_launcher(launcher))


def _why_not_in(facts: Facts, batch_job: BatchJobFacts, launchers: list[ProcessFacts]) -> str:
    """Say why a batch job cannot run the job; what its launcher is there for is seen from that."""
    if batch_job.scheduler_id and any(one.scheduler_id == batch_job.scheduler_id for one in launchers):
        return "its launcher cannot, see there"
    reasons = [misfit(facts.job, room) for room in rooms_of_batch_job(batch_job)]
    return "" if "" in reasons else "; ".join(reasons)


def _claimed(facts: Facts, holder: ProcessFacts) -> Said:
    if holder.is_lost:
        return holder_lost(facts, holder)
    return Said(
        reason=R.CLAIMED,
        text=f"{capital(holder.text)} has taken it, and starts it when there is room.",
        details=(f"It runs {holder.running} jobs now.",),
        next_step="It goes on by itself.",
    )


def _busy(facts: Facts, launcher: ProcessFacts) -> Said:
    more = f"more than {MAX_READY}" if facts.num_ready >= MAX_READY else str(facts.num_ready)
    others = f"{more} other{' is' if facts.num_ready == 1 else 's are'} ready too"
    return Said(
        reason=R.LAUNCHER_BUSY,
        text=f"{capital(launcher.text)} can run it, and runs {launcher.running} jobs now; {others}.",
        details=_why_again(facts),
        next_step=f"It starts when there is room. {commands.change(facts, '--priority 10')} puts it first.",
    )


#: What comes sooner is told of first.
_NEARNESS = {B.RUNNING: 0, B.QUEUED: 1, B.PENDING_SUBMISSION: 2, B.PENDING_DELETION: 3}


def _soon(facts: Facts, batch_job: BatchJobFacts) -> Said:
    """Explain that a batch job is to run it."""
    age = human_duration(batch_job.age_sec)
    if batch_job.state is B.RUNNING:
        is_late = batch_job.age_sec > _LAUNCHER_SEC
        return Said(
            reason=R.BATCH_JOB_STARTS,
            text=f"{capital(batch_job.text)} has begun {age} ago, and its launcher has not shown itself.",
            next_step=f"Look at what it has written: the files in {facts.site.path}/qsubmit and log."
            if is_late
            else "It goes on when the launcher is up, which takes some seconds.",
            needs_you=is_late,
        )
    if batch_job.state is B.QUEUED:
        said = f" The scheduler says: {batch_job.reason}." if batch_job.reason else ""
        return Said(
            reason=R.BATCH_JOB_QUEUED,
            text=f"{capital(batch_job.text)} can run it. It waits in the queue {batch_job.queue} for {age} "
            f"now.{said}",
            next_step="It goes on when the scheduler starts that.",
        )
    return _pending(facts, batch_job)


def _pending(facts: Facts, batch_job: BatchJobFacts) -> Said:
    """Explain that the batch job that is to run it has not been submitted."""
    agent = facts.agent
    is_up = agent is not None and not agent.is_lost
    if agent is not None and is_up and not agent.tags.items() <= batch_job.tags.items():
        return Said(
            reason=R.BATCH_JOB_PENDING,
            text=f"{capital(batch_job.text)} can run it, and {agent.text} does not submit that: it looks "
            f"only after batch jobs with the tag {tags_text(agent.tags)}.",
            next_step=f"{commands.get_nodes(facts)} with that --tag, or mend filter_tags in the settings.yml "
            "of the site.",
            needs_you=True,
        )
    if is_up:
        said = f": {batch_job.reason}" if batch_job.reason else ", which takes some seconds"
        text = f"{capital(batch_job.text)} can run it, and is being submitted{said}."
    else:
        gone = "has no agent" if agent is None else "has an agent that is not heard of any more"
        text = (
            f"{capital(batch_job.text)} can run it, and nobody submits that: the site {facts.site.name} "
            f"{gone}."
        )
    return Said(
        reason=R.BATCH_JOB_PENDING,
        text=text,
        next_step="It goes on by itself." if is_up else commands.start_agent(facts),
        needs_you=not is_up,
    )


def _nothing(facts: Facts, launchers: list[ProcessFacts], batch_jobs: list[BatchJobFacts]) -> Said:
    """Explain that nothing there is can run it."""
    beyond = beyond_queues(facts.job, facts.site)
    details = tuple(_obstacles(facts, launchers, batch_jobs))
    if beyond:
        return Said(
            reason=R.IMPOSSIBLE,
            text=f"{beyond}.",
            details=details,
            next_step=f"Ask for less: {commands.change(facts, '--num-nodes N --wall-time-min M')}, or allow "
            "more in the settings.yml of the site.",
            needs_you=True,
        )
    details += _what_the_agent_says(facts)
    if not launchers and not batch_jobs:
        return Said(
            reason=R.NO_LAUNCHER,
            text=f"It is ready to run, and nothing runs it: {facts.site.name} has neither a launcher nor a "
            "batch job.",
            details=(*_last_end(facts), *details, *_why_again(facts)),
            next_step=commands.get_nodes(facts),
            needs_you=True,
        )
    return Said(
        reason=R.NOTHING_FITS,
        text="It is ready to run, and no launcher or batch job there is can run it.",
        details=(*details, *_why_again(facts)),
        next_step=commands.get_nodes(facts),
        needs_you=True,
    )


def _obstacles(facts: Facts, launchers: list[ProcessFacts], batch_jobs: list[BatchJobFacts]) -> Iterator[str]:
    for launcher in launchers:
        yield f"{capital(launcher.text)} {_sentence(facts, launcher)}"
    for batch_job in batch_jobs:
        if why := _why_not_in(facts, batch_job, []):
            yield f"{capital(batch_job.text)} ({batch_job.state.value}) {why}."


def _sentence(facts: Facts, launcher: ProcessFacts) -> str:
    own = facts.given_back.get(launcher.session_id)
    return f"says: {own}" if own else f"{_why_not(facts, launcher)}."


def _what_the_agent_says(facts: Facts) -> tuple[str, ...]:
    """Return what a service that submits launches by itself waits for."""
    agent = facts.agent
    if agent is None or agent.is_lost:
        return ()
    waits_for = str(agent.about.get("waits_for", ""))
    return (f"{capital(agent.text)} waits for {waits_for}.",) if waits_for else ()


def _last_end(facts: Facts) -> tuple[str, ...]:
    last = facts.last_batch_job
    if last is None:
        return ()
    why = f" ({last.reason})" if last.reason else ""
    how = last.end or last.state.value
    return (f"The last one, {last.text}, ended {human_duration(last.age_sec)} ago: {how}{why}.",)


def _why_again(facts: Facts) -> tuple[str, ...]:
    """Say why a job that has run is to run again."""
    if facts.job.state is not S.RESTART_READY:
        return ()
    last = next((e for e in reversed(facts.events) if e.state is S.RESTART_READY and e.message), None)
    return () if last is None else (f"It is to run again: {last.message.rstrip('.')}.",)


def on_running(facts: Facts) -> Said:
    """Explain RUNNING."""
    holder, job = facts.holder, facts.job
    if holder is None:  # the table does not allow it; between two readings it may seem so
        return Said(reason=R.RUNNING, text="It runs.", next_step=commands.logs(facts, " -f"))
    if holder.is_lost:
        return holder_lost(facts, holder)
    started = next((e for e in reversed(facts.events) if e.state is S.RUNNING), None)
    where = f" on {started.message}" if started is not None and started.message else ""
    in_batch_job = f", in batch job {holder.scheduler_id}" if holder.scheduler_id else ""
    details = [f"It was expected to run for {job.wall_time_min} min."] if job.wall_time_min else []
    if job.attempt > 1:
        details.append(f"This is start number {job.attempt}.")
    return Said(
        reason=R.RUNNING,
        text=f"It runs{where} for {human_duration(job.in_state_sec)} now, started by {holder.text}"
        f"{in_batch_job}.",
        details=tuple(details),
        next_step=f"{commands.logs(facts, ' -f')} shows its output.",
    )
