"""What a mover holds: one start of each transfer, and the results of that start alone."""

from pathlib import Path

from balsam.processing.transfers.load import TransferLoad
from balsam.schemas.transfers import TransferResult, TransferSpec
from tests.unit.processing.transfers.carried import transfer_spec


def spec(attempt: int) -> TransferSpec:
    return transfer_spec(
        Path("/data/job"), direction="in", remote_path="/a", local_path=".", item_id=7, attempt=attempt
    )


def result(attempt: int) -> TransferResult:
    return TransferResult(item_id=7, attempt=attempt, state="done")


def test_a_transfer_that_was_begun_anew_is_no_more_that_of_before():
    load = TransferLoad(1, 10, 10)
    load.hold([spec(1)])
    assert load.holds(7, 1)
    load.keep(result(1))
    load.hold([spec(2)])
    assert load.holds(7, 2) and not load.holds(7, 1)
    load.reported(load.take_results(10), late=["7"])
    assert load.holds(7, 2), "that was word of the start before"
    load.keep(result(1))
    assert not load.has_results
    load.keep(result(2))
    load.reported(load.take_results(10), late=[])
    assert load.held_ids() == []


def test_what_nobody_wants_is_held_no_more():
    load = TransferLoad(1, 10, 10)
    load.hold([spec(1)])
    load.drop([7])
    assert not load.holds(7, 1)
    load.keep(result(1))
    assert not load.has_results
