"""Listings, exactly as people and scripts read them."""

import json
import uuid
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from balsam.core.models import ApplicationDefinition, BalsamJob, QueuedLaunch
from tests.commands import Finished

Cli = Callable[..., Finished]


def job_id(number: int) -> str:
    return f"0000000{number}-0000-4000-8000-00000000abc{number}"


@pytest.fixture
def jobs(db: Path) -> list[BalsamJob]:
    """Three jobs of two workflows; the second waits for the first."""
    ApplicationDefinition(name="echo", executable="/bin/echo -n /a/b").save()
    made = BalsamJob.objects.bulk_create(
        BalsamJob(job_id=uuid.UUID(job_id(i)), name=f"job{i}", workflow=wf, application="echo", data={"x": i})
        for i, wf in enumerate(["one", "one", "Two"])
    )
    made[1].set_parents([made[0]])
    return made


def test_jobs_are_a_table_in_order_of_creation(balsam: Cli, jobs: list[BalsamJob]):
    lines = balsam("ls").check().stdout.splitlines()
    assert lines == [
        "                              job_id | name | workflow | application |            state",
        "-" * 87,
        f"{job_id(0)} | job0 | one      | echo        | PREPROCESSED    ",
        f"{job_id(1)} | job1 | one      | echo        | AWAITING_PARENTS",
        f"{job_id(2)} | job2 | Two      | echo        | PREPROCESSED    ",
    ]


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (["--name", "OB1"], [1]),
        (["--wf", "two"], [2]),
        (["--wf", "o"], [0, 1, 2]),
        (["--state", "AWAITING_PARENTS"], [1]),
        (["--state", "preprocessed", "--wf", "one"], [0]),
        (["--id", "ABC2"], [2]),
        (["--id", job_id(1)], [1]),
        (["--id", "abc", "--name", "2"], [2]),
        (["--name", "nothing"], []),
    ],
)
def test_filters_hold_together(balsam: Cli, jobs: list[BalsamJob], filters: list[str], found: list[int]):
    assert balsam("ls", *filters, "-o", "ids").check().stdout.split() == [job_id(i) for i in found]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    option=st.sampled_from(["--name", "--id", "--wf", "--state"]),
    text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20),
)
def test_any_text_in_a_filter_is_just_text(balsam: Cli, db: Path, option: str, text: str):
    done = balsam("ls", f"{option}={text}", "-o", "json")
    assert done.returncode == (2 if option == "--state" and text else 0), done.output
    assert "Unexpected" not in done.stderr


@pytest.mark.usefixtures("local_queue")
def test_nothing_found_is_one_line_and_a_success(balsam: Cli, db: Path):
    for arguments in ([], ["--hist"], ["--tree"], ["--by-states"], ["--verb"], ["apps"], ["wf"], ["queues"]):
        done = balsam("ls", *arguments).check()
        assert len(done.stdout.splitlines()) == 1, done.stdout


def test_unknown_state_is_a_usage_error(balsam: Cli, db: Path):
    done = balsam("ls", "--state", "FINISHED")
    assert done.returncode == 2
    assert "Did you mean JOB_FINISHED" in done.stderr


def test_environment_adds_columns(balsam: Cli, jobs: list[BalsamJob], monkeypatch: pytest.MonkeyPatch):
    launch = QueuedLaunch(scheduler_id="77")
    launch.save()
    BalsamJob.objects.filter(pk=job_id(0)).update(queued_launch=launch)
    monkeypatch.setenv("BALSAM_LS_FIELDS", "data: queued_launch__scheduler_id:parents:data__x:state")
    header, _, first, second, _ = balsam("ls").check().stdout.splitlines()
    assert [cell.strip() for cell in header.split("|")][5:] == [
        "data",
        "queued_launch__scheduler_id",
        "parents",
        "data__x",
    ]
    assert [cell.strip() for cell in first.split("|")][5:] == ["{'x': 0}", "77", "[]", "0"]
    assert [cell.strip() for cell in second.split("|")][5:] == ["{'x': 1}", "None", f'["{job_id(0)}"]', "1"]


def test_unknown_column_is_told_with_close_names(
    balsam: Cli, jobs: list[BalsamJob], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("BALSAM_LS_FIELDS", "num_node")
    done = balsam("ls")
    assert done.returncode == 2
    assert "Jobs have no field 'num_node'. Did you mean num_nodes" in done.stderr


def test_limit_is_part_of_the_query_and_the_rest_is_told(balsam: Cli, jobs: list[BalsamJob]):
    with CaptureQueriesContext(
        connection,
    ) as queries:
        done = balsam("ls", "--limit", 1).check()
    assert "LIMIT 1" in queries[0]["sql"]
    assert done.stdout.splitlines()[-1].startswith("(2 more jobs not shown...")


def test_limit_comes_from_the_environment_too(
    balsam: Cli, jobs: list[BalsamJob], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("BALSAM_LS_LIMIT", "2")
    assert "(1 more" in balsam("ls").check().stdout
    monkeypatch.setenv("BALSAM_LS_LIMIT", "many")
    assert "more" not in balsam("ls").check().stdout


def test_json_is_clean_data_and_the_rest_is_told_on_stderr(balsam: Cli, jobs: list[BalsamJob]):
    done = balsam("ls", "--limit", 1, "-o", "json").check()
    document = json.loads(done.stdout)
    assert document["version"] == 1
    assert [row["name"] for row in document["rows"]] == ["job0"]
    assert "2 more jobs" in done.stderr


@pytest.mark.usefixtures("local_queue")
def test_every_listing_is_json_too(balsam: Cli, jobs: list[BalsamJob]):
    QueuedLaunch(scheduler_id="1").save()
    for arguments in (
        ["jobs"], ["jobs", "--history"], ["jobs", "--tree"], ["jobs", "--by-states"], ["jobs", "--verbose"],
        ["apps"], ["apps", "--verbose"], ["wf"], ["queues"],
    ):  # fmt: skip
        document = json.loads(balsam("ls", *arguments, "--output", "json").check().stdout)
        assert document["rows"], arguments


def test_history_is_the_text_scripts_know(balsam: Cli, jobs: list[BalsamJob]):
    text = balsam("ls", "--name", "job0", "--hist").check().stdout
    title = f"Job job0 [{job_id(0)}]"
    assert text.startswith(f"{title}\n{'-' * len(title)}\n\n[")
    assert jobs[0].state_history in text


def test_history_reads_all_events_at_once(balsam: Cli, jobs: list[BalsamJob]):
    with CaptureQueriesContext(connection) as queries:
        balsam("ls", "--history").check()
    assert len(queries) == 2


def test_states_are_counted_in_the_order_of_life(balsam: Cli, jobs: list[BalsamJob]):
    assert balsam("ls", "--by-states").check().stdout == "AWAITING_PARENTS  1\n    PREPROCESSED  2\n"


def test_verbose_is_the_whole_job(balsam: Cli, jobs: list[BalsamJob]):
    text = balsam("ls", "--verb", "--name", "job2").check().stdout
    assert text.strip() == str(BalsamJob.objects.get(name="job2")).strip()


def test_tree_shows_children_below_their_parents_once(balsam: Cli, jobs: list[BalsamJob]):
    jobs[1].set_parents([jobs[0], jobs[2]])
    assert balsam("ls", "--tree").check().stdout.splitlines() == [
        "|             job0 [job0 | 00000000]",
        "||                  job1 [job1 | 00000001]",
        "|             job2 [job2 | 00000002]",
    ]


def test_tree_starts_at_the_first_jobs_that_match(balsam: Cli, jobs: list[BalsamJob]):
    text = balsam("ls", "--tree", "--name", "job1").check().stdout
    assert text == "|             job1 [job1 | 00000001]\n"


def test_tree_with_a_limit_goes_deep_first(balsam: Cli, jobs: list[BalsamJob]):
    done = balsam("ls", "--tree", "--limit", 2).check()
    assert [line.split()[1] for line in done.stdout.splitlines()[:2]] == ["job0", "job1"]
    assert "(1 more jobs" in done.stdout


def test_deep_tree_is_one_query_a_step_not_a_level(balsam: Cli, db: Path):
    chain = [BalsamJob(name=f"c{i}") for i in range(1200)]
    for parent, child in pairwise(chain):
        child.set_parents([parent])
    BalsamJob.objects.bulk_create(chain)
    with CaptureQueriesContext(connection) as queries:
        lines = balsam("ls", "--tree").check().stdout.splitlines()
    assert len(lines) == 1200
    assert len(queries) < 10


def test_apps_show_the_words_of_the_command_without_directories(balsam: Cli, jobs: list[BalsamJob]):
    assert balsam("ls", "apps").check().stdout.splitlines() == [
        "pk | name | executable | description",
        "-" * 36,
        "1  | echo | echo -n b  |            ",
    ]


def test_apps_are_found_by_id(balsam: Cli, jobs: list[BalsamJob]):
    assert balsam("ls", "apps", "--id", 1, "-o", "ids").check().stdout == "1\n"
    assert "No apps" in balsam("ls", "apps", "--id", 2).check().stdout
    assert balsam("ls", "apps", "--id", "x").returncode == 2


def test_verbose_apps_are_shown_in_full(balsam: Cli, jobs: list[BalsamJob]):
    text = balsam("ls", "apps", "--verbose").check().stdout
    assert text.startswith("Application 1:\n---")
    assert "executable:                     /bin/echo -n /a/b" in text


def test_workflows_are_listed_once(balsam: Cli, jobs: list[BalsamJob]):
    assert balsam("ls", "wf").check().stdout == "Workflows\n---------\nTwo\none\n"


def test_one_workflow_shows_its_jobs(balsam: Cli, jobs: list[BalsamJob]):
    text = balsam("ls", "wf", "--wf", "one").check().stdout
    assert "job0" in text
    assert "job1" in text
    assert "job2" not in text
    assert "job2" in balsam("ls", "wf", "--tree", "--name", "tw").check().stdout


def test_unknown_workflow_is_not_found(balsam: Cli, jobs: list[BalsamJob]):
    done = balsam("ls", "wf", "--wf", "three")
    assert done.returncode == 3
    assert "No workflow matching 'three'" in done.stderr


@pytest.mark.usefixtures("local_queue")
def test_queues_show_the_batch_jobs(balsam: Cli, db: Path):
    QueuedLaunch(scheduler_id="123.host", queue="debug", nodes=2, command="/a/qlaunch1.sh").save()
    header, _, line = balsam("ls", "queues").check().stdout.splitlines()
    assert header.endswith("Command | Submitted from Balsam?")
    assert "123.host" in line
    assert "| qlaunch1.sh" in line
    assert "Qlaunch {" in balsam("ls", "queues", "--verbose").check().stdout
