"""What must hold of all jobs at any time, as queries that find where it does not.

Run after every chaos test and by `balsam doctor`; an empty answer is the proof that nothing was lost, run
twice or left waiting for ever.
"""

import uuid
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from balsam.core import sql
from balsam.states import JobState, may_follow

#: Name -> what is broken where the query of that name (``check_<name>.sql``) finds a job.
CHECKS = {
    "holders": "Jobs are held by live sessions only: running ones always, ended ones never.",
    "history": "The history of a job is an unbroken path from CREATED to its state.",
    "moves": "Jobs move along the table of transitions, unless a user asks for more.",
    "attempts": "Every start of a job has a number of its own.",
    "waiting": "A waiting job counts the parents it waits for, and there is one.",
    "early": "No job can run before its parents have finished.",
    "strays": "The history belongs to jobs.",
}
#: Two jobs never wait for each other; found by walking the edges, not by a query.
CYCLES = "No job waits for itself."


@dataclass(frozen=True, slots=True)
class Violation:
    """One job of which something does not hold."""

    check: str
    job_id: uuid.UUID
    detail: str

    def __str__(self) -> str:
        return f"{CHECKS.get(self.check, CYCLES)} Job {self.job_id}: {self.detail}."


def violations(max_rows: int = 100) -> list[Violation]:
    """Return what does not hold, at most ``max_rows`` for each check; each check sees one moment."""
    moves = [(a.value, b.value) for a in JobState for b in JobState if may_follow(a, b)]
    table = {"from_states": [a for a, _ in moves], "to_states": [b for _, b in moves]}
    found = []
    for name in CHECKS:
        rows = sql.fetch(f"check_{name}", max_rows=max_rows, **table)
        found += [Violation(name, uuid.UUID(str(job_id)), str(detail)) for job_id, detail in rows]
    return found + _cycle()


def _cycle() -> list[Violation]:
    graph: dict[str, list[str]] = {}
    for parent, child in sql.fetch("waiting_edges"):
        graph.setdefault(str(child), []).append(str(parent))
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as knot:
        path = knot.args[1]
        return [Violation("cycles", uuid.UUID(path[0]), " -> ".join(path))]
    return []
