"""How claimed jobs are dealt out to the workers that want some."""

from balsam.launcher.feeding import deal
from tests.unit.launcher.jobspecs import job


def names(dealt) -> list[list[str]]:
    return [[spec.job_id for spec in share] for _, share in dealt]


def test_few_jobs_go_to_many_workers():
    specs = [job(str(n)) for n in range(5)]
    assert names(deal(specs, [("a", 8), ("b", 8), ("c", 8)])) == [["0", "3"], ["1", "4"], ["2"]]


def test_no_worker_gets_more_than_it_wants():
    specs = [job(str(n)) for n in range(6)]
    assert names(deal(specs, [("a", 1), ("b", 5)])) == [["0"], ["1", "2", "3", "4", "5"]]


def test_one_worker_gets_all():
    assert names(deal([job("0")], [("a", 4)])) == [["0"]]
