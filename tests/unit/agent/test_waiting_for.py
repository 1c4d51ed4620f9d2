"""What the service says it waits for."""

from balsam.agent.planning import make_plan
from balsam.agent.shapes import Shape, Work
from balsam.agent.waiting_for import queue_rows, waiting_for
from balsam.config.queue_policy import QueueRule
from balsam.schemas.batch_jobs import BatchJobInfo
from tests.unit.agent.batch_infos import batch_info, queue

ONE = Shape(1, 1, 1, 10)


def words(
    work: Work,
    rules: list[QueueRule],
    live: list[BatchJobInfo] | None = None,
    held: dict[str, str] | None = None,
) -> str:
    return waiting_for(
        work, make_plan(work, rules, live or [], scheduler="local", project="p", held_back=held)
    )


def test_each_reason_has_its_words():
    few, many = Work({ONE: 3}), Work({ONE: 300})
    assert words(Work(), [queue()]) == "jobs: none waits for a launcher"
    assert words(Work({}, {ONE: 1}), [queue()]) == "hooks, staging or parents of 1 job"
    assert words(few, [queue()]) == "the scheduler: 1 launch is being submitted"
    assert words(few, [queue()], [batch_info()]) == "launches that are queued or run: they are to do 3 jobs"
    assert words(few, [queue(submit_jobs=False)]) == "room for 3 jobs: q is closed, some fit no launch"
    assert words(few, [queue()], held={"q": "why"}) == "room for 3 jobs: q is held back (why)"
    full = words(many, [queue()], [batch_info()])
    assert full == (
        "launches that are queued or run: they are to do 20 jobs; room for 280 jobs: q has 1 of 1 batch jobs"
    )


def test_queues_are_counted_with_what_is_being_submitted():
    plan = make_plan(Work({ONE: 3}), [queue(max_queued=2), queue("b")], [], scheduler="s", project="p")
    assert [(row["queue"], row["live"], row["max_queued"]) for row in queue_rows(plan)] == [
        ("q", 1, 2),
        ("b", 0, 1),
    ]
