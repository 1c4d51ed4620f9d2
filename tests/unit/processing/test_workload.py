import pytest

from balsam.processing.workload import Task, Workload
from balsam.schemas.jobs import StepResult, StepSpec
from balsam.states import JobState as S
from tests.unit.processing.specs import step_spec


@pytest.fixture
def load() -> Workload:
    return Workload(concurrency=2)


def spec(job_id: str, state: S = S.STAGED_IN) -> StepSpec:
    return step_spec("/w", state, job_id=job_id)


def done(task: Task, state: S = S.PREPROCESSED) -> StepResult:
    return StepResult(job_id=task.spec.job_id, from_state=task.spec.state, to_state=state)


def start(load: Workload) -> Task:
    task = load.start_next()
    assert task is not None
    return task


def test_steps_begin_in_the_order_in_which_they_came(load: Workload):
    load.add([spec("a"), spec("b")])
    assert [start(load).spec.job_id, start(load).spec.job_id] == ["a", "b"]
    assert load.start_next() is None


def test_a_job_is_held_until_its_result_has_arrived(load: Workload):
    load.add([spec("a")])
    assert load.job_ids() == ["a"]
    task = start(load)
    assert load.job_ids() == ["a"]
    load.finish(task, done(task), 0.1)
    assert load.job_ids() == ["a"]
    load.reported(load.take_results(10))
    assert load.job_ids() == []


def test_an_interrupted_step_is_handed_back_in_its_own_state(load: Workload):
    load.add([spec("a")])
    task = start(load)
    load.interrupt(["a", "unknown"])
    assert task.interruption.is_set
    load.finish(task, None, 0.1)
    (result,) = load.take_results(10)
    assert (result.from_state, result.to_state) == (S.STAGED_IN, S.STAGED_IN)
    assert "again" in result.message


def test_a_step_that_was_not_begun_is_handed_back_at_once(load: Workload):
    load.add([spec("a"), spec("b")])
    load.drop_waiting(["b"])
    assert [result.job_id for result in load.take_results(10)] == ["b"]
    assert start(load).spec.job_id == "a"


def test_a_job_claimed_again_waits_for_its_older_step_whose_result_is_dropped(load: Workload):
    load.add([spec("a", S.RUN_ERROR)])
    older = start(load)
    load.add([spec("a", S.RUN_DONE)])
    assert load.start_next() is None
    load.finish(older, done(older, S.FAILED), 0.1)
    assert not load.has_results
    assert start(load).spec.state is S.RUN_DONE


def test_a_result_that_was_not_reported_is_dropped_when_the_job_is_claimed_again(load: Workload):
    load.add([spec("a")])
    task = start(load)
    load.finish(task, done(task), 0.1)
    load.add([spec("a")])
    assert not load.has_results


def test_a_closed_workload_hands_everything_back_that_was_not_begun(load: Workload):
    load.add([spec("a", S.RUN_ERROR), spec("b")])
    running = start(load)
    load.add([spec("a", S.RUN_DONE)])
    load.close()
    load.add([spec("c")])
    load.finish(running, done(running, S.FAILED), 0.1)
    handed_back = {(r.job_id, r.from_state, r.to_state) for r in load.take_results(10)}
    assert handed_back == {
        ("b", S.STAGED_IN, S.STAGED_IN),
        ("c", S.STAGED_IN, S.STAGED_IN),
        ("a", S.RUN_DONE, S.RUN_DONE),
    }
    assert load.start_next() is None and load.room == 0


def test_an_abandoned_workload_keeps_no_results(load: Workload):
    load.add([spec("a"), spec("b")])
    task = start(load)
    load.abandon()
    assert task.interruption.is_set
    load.finish(task, done(task), 0.1)
    assert load.job_ids() == []


def test_a_result_put_off_lets_the_others_through(load: Workload):
    load.add([spec("a"), spec("b")])
    for task in (start(load), start(load)):
        load.finish(task, done(task), 0.1)
    load.put_off(load.take_results(1))
    assert [result.job_id for result in load.take_results(10)] == ["b", "a"]


def test_only_what_can_begin_is_claimed_while_steps_are_slow(load: Workload):
    assert load.room == 2
    load.add([spec("a")])
    start(load)
    assert load.room == 1
    load.add([spec("b")])
    assert load.room == 0


def test_a_little_more_is_claimed_once_steps_are_quick(load: Workload):
    for number in range(30):
        load.add([spec(str(number))])
        task = start(load)
        load.finish(task, done(task), 0.01)
    assert 2 < load.room <= 2 + 20


def test_concurrency_zero_has_no_room():
    assert Workload(concurrency=0).room == 0
