"""Which transfers go together."""

from dataclasses import replace
from pathlib import Path

from balsam.processing.transfers.planning import Plan, batches, plan
from tests.unit.processing.transfers.carried import transfer_spec


def planned(number: int, task_id: str = "", failures: int = 0) -> Plan:
    spec = transfer_spec(
        Path("/data/job"), direction="in", remote_path=f"https://host/{number}", local_path="."
    )
    return plan(replace(spec, item_id=number, task_id=task_id, failures=failures), None)


def ids(found: list[list[Plan]]) -> list[list[int]]:
    return [[one.spec.item_id for one in batch] for batch in found]


def test_what_others_do_together_stays_together():
    plans = [planned(number, task_id) for number, task_id in enumerate(["a", "b", "", "a", "b", "a"])]
    assert ids(batches(plans, 100)) == [[0, 3, 5], [1, 4], [2]]


def test_what_has_failed_often_goes_alone_and_the_rest_in_pieces():
    plans = [planned(number, failures=2 if number == 1 else 1) for number in range(6)]
    assert ids(batches(plans, 3)) == [[0, 2, 3], [4, 5], [1]]
