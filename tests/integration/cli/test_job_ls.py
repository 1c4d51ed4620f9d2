"""`balsam job ls` where there are more jobs than anybody reads."""

import json
from collections.abc import Callable

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from balsam.cli.jobs import ls
from tests.commands import Finished
from tests.jobs import add_jobs


@pytest.fixture(autouse=True)
def short_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ls, "_FIRST_PAGE", 3)


def numbers(output: str) -> list[int]:
    return [int(line.split()[0]) for line in output.splitlines()[2:]]


def test_a_table_has_the_newest_and_says_how_many_more_there_are(balsam: Callable[..., Finished]):
    jobs = [job.number for job in add_jobs(5)]
    done = balsam("job", "ls").check()
    assert numbers(done.stdout) == jobs[2:]
    assert "newest 3 of 5 jobs" in done.stderr and "--limit 0" in done.stderr
    few = balsam("job", "ls", "--limit", 2).check()
    assert numbers(few.stdout) == jobs[3:] and few.stderr == ""
    whole = balsam("job", "ls", "--limit", 0).check()
    assert numbers(whole.stdout) == jobs and whole.stderr == ""


def test_a_page_that_holds_all_says_nothing_more(balsam: Callable[..., Finished]):
    add_jobs(3)
    assert balsam("job", "ls").check().stderr == ""


def test_programs_get_all_jobs(balsam: Callable[..., Finished]):
    jobs = [job.number for job in add_jobs(5)]
    rows = json.loads(balsam("job", "ls", "-o", "json").check().stdout)["rows"]
    assert [row["id"] for row in rows] == jobs
    assert balsam("job", "ls", "-o", "ids").check().stdout.split() == [str(number) for number in jobs]
    assert len(balsam("job", "ls", "-o", "csv", "-n", 2).check().stdout.splitlines()) == 3


def test_states_are_counted_by_one_query_of_jobs(balsam: Callable[..., Finished]):
    add_jobs(4)
    with CaptureQueriesContext(connection) as captured:
        done = balsam("job", "ls", "--by-state").check()
    assert "PREPROCESSED" in done.stdout and "4" in done.stdout
    assert sum('FROM "core_balsamjob"' in query["sql"] for query in captured) == 1
