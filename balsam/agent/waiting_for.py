"""Say what the service waits for, in words for users."""

from typing import Any

from balsam.agent.planning import Plan
from balsam.agent.shapes import Work

__all__ = ["queue_rows", "waiting_for"]


def queue_rows(plan: Plan) -> list[dict[str, Any]]:
    """Return the queues of a plan as plain data."""
    return [
        {
            "queue": state.name,
            "submit_jobs": "open" if state.is_open else "closed",
            "live": state.live + sum(request.queue == state.name for request in plan.requests),
            "max_queued": state.max_queued,
            "note": state.note,
        }
        for state in plan.queues
    ]


def waiting_for(work: Work, plan: Plan) -> str:
    """Return what keeps the service from submitting more."""
    if not work.num_jobs:
        return "jobs: none waits for a launcher"
    parts = []
    if plan.covered:
        parts.append(f"launches that are queued or run: they are to do {_jobs(plan.covered)}")
    if plan.requests:
        count = len(plan.requests)
        launches = "1 launch is" if count == 1 else f"{count} launches are"
        parts.append(f"the scheduler: {launches} being submitted")
    if plan.uncovered and not work.num_ready:
        parts.append(f"hooks, staging or parents of {_jobs(plan.uncovered)}")
    elif plan.uncovered:
        parts.append(f"room for {_jobs(plan.uncovered)}: {_why_no_room(plan)}")
    return "; ".join(parts)


def _jobs(count: int) -> str:
    return "1 job" if count == 1 else f"{count} jobs"


def _why_no_room(plan: Plan) -> str:
    reasons = []
    for state in plan.queues:
        if state.note:
            reasons.append(f"{state.name} is held back ({state.note})")
        elif not state.is_open:
            reasons.append(f"{state.name} is closed")
        elif state.live >= state.max_queued:
            reasons.append(f"{state.name} has {state.live} of {state.max_queued} batch jobs")
    if plan.unfit:
        reasons.append("some fit no launch")
    return ", ".join(reasons) or "those ready are covered, and the others wait for them"
