"""``balsam job VERB``: one way of saying which jobs, and what each verb does with them."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from balsam.api import App, EventLog, Job, Site
from balsam.core.models import BalsamJob
from balsam.states import JobState as S
from tests.commands import Finished
from tests.jobs import add_job, claim, open_session, report

Balsam = Callable[..., Finished]


@pytest.fixture
def theta(db: Path, tmp_path: Path) -> Site:
    """A site with the application Hello, and five jobs: 3 of w/a, 2 of w/b; one FAILED, one FINISHED."""
    (tmp_path / "theta" / "data").mkdir(parents=True)
    site = Site.objects.create("theta", tmp_path / "theta")
    app = App.objects.create(
        site_id=site.id,
        name="Hello",
        command_template="echo {{ name }}",
        parameters={"name": {"required": True}, "sep": {"required": False}},
    )
    for n, group in enumerate("aaabb"):
        Job(f"w/{group}{n}", app.id, parameters={"name": "x"}, tags={"group": group, "n": str(n)}).save()
    session = open_session()
    (failed,) = claim(session, limit=1, site_id=site.id)
    report(session, [failed], S.RUNNING, S.RUN_ERROR, code=3)
    (finished,) = claim(session, limit=1, site_id=site.id)
    report(session, [finished], S.RUNNING, S.RUN_DONE, code=0)
    return site


def numbers() -> list[int]:
    return [job.id for job in Job.objects.order_by("id")]


def held_job(theta: Site) -> int:
    """Have a launcher run one of the jobs that are ready."""
    session = open_session()
    specs = claim(session, limit=1, site_id=theta.id)
    report(session, specs, S.RUNNING)
    return int(BalsamJob.objects.get(state="RUNNING").number)


#: Options -> which of the five jobs they mean.
SELECTIONS: list[tuple[tuple[str, ...], tuple[int, ...]]] = [
    ((), (0, 1, 2, 3, 4)),
    (("{2}",), (2,)),
    (("{2}", "{3}"), (2, 3)),
    (("--id", "{2}"), (2,)),
    (("-i", "{2}", "-i", "{4}"), (2, 4)),
    (("--id", "{uuid2}"), (2,)),
    (("{UUID3}",), (3,)),
    (("--tag", "group=a"), (0, 1, 2)),
    (("-t", "group=a", "-t", "n=1"), (1,)),
    (("--tag", "group=c"), ()),
    (("--state", "FAILED"), (0,)),
    (("-s", "failed"), (0,)),
    (("-s", "FAILED", "--state", "JOB_FINISHED"), (0, 1)),
    (("--exclude-state", "PREPROCESSED"), (0, 1)),
    (("-ns", "FAILED", "-ns", "JOB_FINISHED"), (2, 3, 4)),
    (("--workdir", "w/b"), (3, 4)),
    (("-w", "a2"), (2,)),
    (("--app", "Hello"), (0, 1, 2, 3, 4)),
    (("-a", "{app}", "-t", "n=4"), (4,)),
    (("--site", "theta", "-t", "n=4"), (4,)),
    (("--site", "all"), (0, 1, 2, 3, 4)),
    (("-t", "group=b", "-s", "FAILED"), ()),
]


def _fill(word: str, known: dict[str, Any]) -> str:
    return str(known[word[1:-1]]) if word.startswith("{") else word


@pytest.mark.parametrize(("options", "meant"), SELECTIONS)
def test_every_verb_selects_jobs_in_the_same_way(
    balsam: Balsam, theta: Site, options: tuple[str, ...], meant: tuple[int, ...]
):
    jobs = list(BalsamJob.objects.order_by("number"))
    known: dict[str, Any] = {str(n): job.number for n, job in enumerate(jobs)}
    known |= {f"uuid{n}": str(job.pk)[:10] for n, job in enumerate(jobs)}
    known |= {f"UUID{n}": str(job.pk).upper() for n, job in enumerate(jobs)}
    known["app"] = App.objects.get(name="Hello").id
    words = [_fill(word, known) for word in options]
    wanted = [jobs[n].number for n in meant]
    assert balsam("job", "ls", *words, "-o", "ids").check().stdout.split() == list(map(str, wanted))
    everything = () if words else ("--all",)
    code = 0 if wanted else 3
    site = () if words else ("--site", "all")
    explained = balsam("job", "explain", *words, *site, "-o", "json")
    assert explained.returncode == code, explained.output
    if wanted:
        assert [row["id"] for row in json.loads(explained.stdout)["rows"]] == wanted
    events = balsam("job", "history", *words, *site, "-o", "jsonl")
    assert events.returncode == code
    assert {json.loads(line)["job_id"] for line in events.stdout.splitlines()} == set(wanted)
    assert balsam("job", "wait", *words, "--timeout", 0).returncode in ((0, 1, 8) if wanted else (3,))
    assert balsam("job", "logs", *words, *site).returncode == code
    modified = balsam("job", "modify", *words, *everything, "--priority", 5, "--yes")
    assert modified.returncode == code, modified.output
    assert [job.id for job in Job.objects.order_by("id") if job.priority == 5] == wanted
    balsam("job", "rm", *words, *everything, "--yes").check()
    assert numbers() == [job.number for job in jobs if job.number not in wanted]


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("99",), 3, "no job 99"),
        (("{0}", "--state", "RUNNING"), 3, "in that state"),
        (("abcdef0123",), 3, "starts with 'abcdef0123'"),
        (("hello!",), 2, "neither the number of a job nor"),
        (("--state", "FAILD"), 2, "did you mean FAILED"),
        (("--tag", "x"), 2, "KEY=VALUE"),
        (("--app", "Nope"), 3, "'Nope'"),
        (("--site", "nowhere"), 3, "'nowhere'"),
        ((), 2, "Say which jobs"),
        (("99999999999999999999",), 3, "starts with"),
    ],
)
@pytest.mark.parametrize("verb", ["explain", "logs", "history", "modify"])
def test_jobs_that_are_not_there_are_told_of(
    balsam: Balsam, theta: Site, verb: str, words: tuple[str, ...], code: int, told: str
):
    first = numbers()[0]
    given = [str(first) if word == "{0}" else word for word in words]
    done = balsam("job", verb, *given, *(("--priority", "1", "--yes") if verb == "modify" else ()))
    assert (done.returncode, told in done.stderr) == (code, True), done.output


def test_ambiguous_beginning_of_an_id_names_candidates(balsam: Balsam, theta: Site):
    import uuid

    for last in (1, 2):
        add_job(job_id=uuid.UUID(f"abcdabcd-0000-0000-0000-00000000000{last}"), name="x")
    done = balsam("job", "explain", "abcdabcd")
    assert done.returncode == 3 and "Several jobs" in done.stderr and "Give the number" in done.stderr


# -- ls ----------------------------------------------------------------------------------------------


def test_empty_listing_says_so_on_stderr_alone(balsam: Balsam, theta: Site):
    done = balsam("job", "ls", "--state", "READY").check()
    assert "No jobs match" in done.stderr and len(done.stdout.splitlines()) == 2
    everywhere = balsam("job", "ls", "--state", "READY", "--site", "all").check()
    assert everywhere.stderr == "No jobs match.\n"
    there = balsam("job", "ls", "--state", "READY", "--site", "theta").check()
    assert "`balsam job ls --site all` looks at all sites." in there.stderr
    for form in ("json", "jsonl", "csv", "ids"):
        assert balsam("job", "ls", "--state", "READY", "-o", form).check().stderr == ""


def test_jobs_are_counted_by_state(balsam: Balsam, theta: Site):
    rows = json.loads(balsam("job", "ls", "--by-state", "-o", "json").check().stdout)["rows"]
    assert {row["state"]: row["count"] for row in rows} == {"FAILED": 1, "JOB_FINISHED": 1, "PREPROCESSED": 3}


# -- modify ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "field", "value"),
    [
        (("--num-nodes", "2"), "num_nodes", 2),
        (("-n", "3"), "num_nodes", 3),
        (("-rpn", "4"), "ranks_per_node", 4),
        (("-tpr", "2"), "threads_per_rank", 2),
        (("-tpc", "2"), "threads_per_core", 2),
        (("-g", "0.5"), "gpus_per_rank", 0.5),
        (("-npc", "8"), "node_packing_count", 8),
        (("--wall-time-min", "30"), "wall_time_min", 30),
        (("--wall-time-min", "0"), "wall_time_min", 0),
        (("--priority", "-1"), "priority", -1),
        (("--on-parent-failure", "hold"), "on_parent_failure", "hold"),
        (("-p", "sep=,"), "parameters", {"name": "x", "sep": ","}),
        (("--param", "name=y"), "parameters", {"name": "y"}),
        (("--set-tag", "group=z"), "tags", {"group": "z", "n": "2"}),
        (("--remove-tag", "n", "--remove-tag", "nope"), "tags", {"group": "a"}),
        (("-lp", "cpu_bind=core"), "launch_params", {"cpu_bind": "core"}),
        (("--set", "workdir=w/new"), "workdir", "w/new"),
        (("--set-state", "FAILED"), "state", "FAILED"),
        (("--state", "FAILED"), "state", "FAILED"),
        (("-s", "failed"), "state", "FAILED"),
    ],
)
def test_every_field_is_changed_by_its_option(
    balsam: Balsam, theta: Site, options: tuple[str, ...], field: str, value: object
):
    before = {job.id: getattr(job, field) for job in Job.objects.all()}
    number = numbers()[2]
    told = "Changed 0 of 1; 1 so already." if before[number] == value else "Changed 1 of 1."
    assert told in balsam("job", "modify", "--id", number, *options).check().stdout
    after = {job.id: getattr(job, field) for job in Job.objects.all()}
    assert after == {**before, number: value}


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        ((), 2, "Say what to change"),
        (("--set-state", "FINISHED"), 2, "no state"),
        (("--num-nodes", "0"), 2, "must be 1 or more"),
        (("--num-nodes", "x"), 2, "not a valid integer"),
        (("--set", "nodes=3"), 2, "'nodes'"),
        (("--set", "id=3"), 2, "'id'"),
        (("--set", "workdir=/abs"), 4, "relative path"),
        (("--param", "nope=1"), 4, "takes no parameter nope"),
        (("--set-state", "RUNNING"), 4, "Only a launcher sets RUNNING"),
        (("--on-parent-failure", "cry"), 2, "on_parent_failure"),
    ],
)
def test_change_that_cannot_be_is_told_of_and_changes_nothing(
    balsam: Balsam, theta: Site, options: tuple[str, ...], code: int, told: str
):
    before = [job.display_dict() for job in Job.objects.order_by("id")]
    done = balsam("job", "modify", numbers()[2], *options)
    assert (done.returncode, told in done.stderr) == (code, True), done.output
    assert [job.display_dict() for job in Job.objects.order_by("id")] == before


def test_bulk_change_shows_what_it_concerns_and_asks(balsam: Balsam, theta: Site):
    change = ("job", "modify", "--app", "Hello", "--priority", "7")
    asked = balsam(*change, input="n\n").check().stdout
    assert "5 jobs: 1 FAILED, 1 JOB_FINISHED, 3 PREPROCESSED" in asked
    assert "Change: priority=7" in asked and f"  {numbers()[0]}  w/a0  FAILED  " in asked
    assert "Nothing was changed" in asked
    assert "Nothing was changed" in balsam(*change, "--dry-run").check().stdout
    for verb in (change, ("job", "rm", "--app", "Hello")):
        silent = balsam(*verb, input="")
        assert silent.returncode == 2 and "--yes" in silent.stderr
    assert {job.priority for job in Job.objects.all()} == {0} and len(numbers()) == 5
    assert "Changed 5 of 5." in balsam(*change, input="y\n").check().stdout


def test_state_filters_where_something_else_is_changed(balsam: Balsam, theta: Site):
    change = (
        "job",
        "modify",
        "--state",
        "FAILED",
        "--set-state",
        "RESTART_READY",
        "--priority",
        "3",
        "--yes",
    )
    assert "Changed 1 of 1." in balsam(*change).check().stdout
    assert [job.state for job in Job.objects.filter(state="RESTART_READY")] == ["RESTART_READY"]


def test_refused_changes_are_named_with_the_reason_and_others_are_made(balsam: Balsam, theta: Site):
    done = balsam("job", "modify", "-ns", "PREPROCESSED", "--set-state", "USER_KILLED", "--yes")
    assert done.returncode == 4
    assert "Changed 0 of 2; 2 refused:" in done.stderr and "cannot become USER_KILLED" in done.stderr
    done = balsam("job", "modify", "--all", "--set-state", "FAILED", "--yes")
    assert done.returncode == 4 and "Changed 3 of 5; 1 so already; 1 refused" in done.stderr, done.output


def test_change_of_a_running_job_is_said_to_hold_later(balsam: Balsam, theta: Site):
    number = held_job(theta)
    done = balsam("job", "modify", number, "--num-nodes", "2").check()
    assert "run: what was changed holds from the next start" in done.stderr


# -- rm ----------------------------------------------------------------------------------------------


def test_jobs_that_are_held_are_not_deleted_and_named(balsam: Balsam, theta: Site):
    number = held_job(theta)
    done = balsam("job", "rm", "--all", "--yes")
    assert done.returncode == 4
    assert (
        "Deleted 4 jobs; 1 refused" in done.stderr and f"--id {number} --set-state USER_KILLED" in done.stderr
    )
    assert numbers() == [number]
    balsam("job", "modify", number, "--set-state", "USER_KILLED").check()
    assert "Deleted 1 job." in balsam("job", "rm", number, "-y").check().stdout


def test_deletion_is_shown_first_and_asked_about(balsam: Balsam, theta: Site):
    shown = balsam("job", "rm", "--tag", "group=b", "--dry-run").check().stdout
    assert "2 jobs: 2 PREPROCESSED" in shown and len(numbers()) == 5
    assert "Nothing was deleted" in balsam("job", "rm", "--tag", "group=b", input="n\n").check().stdout
    assert "Deleted 2 jobs." in balsam("job", "rm", "--tag", "group=b", input="y\n").check().stdout


# -- explain, history, wait, logs --------------------------------------------------------------------


def test_alike_jobs_are_explained_together_in_words(balsam: Balsam, theta: Site):
    told = balsam("job", "explain", "--site", "theta").check().stdout
    assert "3 jobs at theta are PREPROCESSED" in told
    assert "Its program failed" in told and "exit code" in told
    assert "`balsam queue submit --site theta -n 1 -t 10 -q QUEUE -A PROJECT -j serial`" in told
    left = balsam("job", "explain", "--site", "theta", "--limit", "2").check()
    assert "3 more" in left.stderr


def test_job_of_the_database_generation_is_explained_by_its_id(balsam: Balsam, db: Path):
    job = add_job(name="old", workflow="w")
    told = balsam("job", "explain", str(job.pk)[:8]).check().stdout
    assert f"Job {job.number} (old)" in told and "`balsam launcher --consume-all --job-mode serial`" in told
    row = json.loads(balsam("job", "explain", job.number, "-o", "jsonl").check().stdout)
    assert (row["reason"], row["needs_you"], row["job_id"]) == ("no_launcher", True, str(job.pk))


def test_history_has_every_move_in_order(balsam: Balsam, theta: Site):
    number = numbers()[0]
    lines = balsam("job", "history", number).check().stdout.splitlines()
    assert [line.split("|")[3].strip() for line in lines[2:]] == [
        "PREPROCESSED",
        "RUNNING",
        "RUN_ERROR",
        "FAILED",
    ]
    rows = json.loads(balsam("job", "history", number, "-o", "json").check().stdout)["rows"]
    assert rows[2]["data"]["returncode"] == 3 and rows[0]["timestamp"].endswith("Z")
    assert len(rows) == EventLog.objects.filter(job_id=number).count()


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        (("--state", "JOB_FINISHED"), 0, ""),
        (("--state", "FAILED"), 1, "1 of 1 jobs failed"),
        (("--tag", "group=b", "--timeout", "0"), 8, "2 of 2 jobs have not ended within 0 s"),
        (("--timeout", "0.1"), 8, "3 of 5"),
        (("--for", "any"), 1, "1 of 5 jobs failed"),
        (("--for", "any", "--tag", "group=b", "--timeout", "0"), 8, "have not ended"),
        (("--for", "some"), 2, "some"),
        (("--tag", "group=c"), 3, "No job matches"),
    ],
)
def test_waiting_ends_with_the_code_of_its_outcome(
    balsam: Balsam, theta: Site, options: tuple[str, ...], code: int, told: str
):
    done = balsam("job", "wait", *options)
    assert (done.returncode, told in done.stderr) == (code, True), done.output
    assert done.stdout == "" and (told or not done.stderr)


def test_output_is_shown_as_it_is_with_earlier_starts_where_asked_for(balsam: Balsam, theta: Site):
    number = numbers()[0]
    data = Path(str(theta.path)) / "data" / "w" / "a0"
    data.mkdir(parents=True)
    (data / "job.out").write_bytes(b"one\ntwo\nthree")
    (data / "job.out.2").write_text("second\n")
    (data / "job.out.10").write_text("tenth\n")
    (data / "job.out.log").write_text("no output\n")
    assert balsam("job", "logs", number).check().stdout.splitlines()[2] == "three"
    assert balsam("job", "logs", number, "--tail", "1").check().stdout == "three"
    told = balsam("job", "logs", number, "--all-attempts").check().stdout
    assert [line for line in told.splitlines() if line.startswith("==>")] == [
        f"==> {data}/job.out{end} <==" for end in (".2", ".10", "")
    ]
    assert balsam("job", "logs", number, "-f").check().stdout.endswith("three")


def test_job_without_output_is_told_of(balsam: Balsam, theta: Site):
    done = balsam("job", "logs", numbers()[2]).check()
    assert done.stdout == "" and "has no output: it is PREPROCESSED" in done.stderr


def test_output_on_another_host_is_named_with_its_place(balsam: Balsam, theta: Site):
    os.rename(str(theta.path), f"{theta.path}-elsewhere")
    done = balsam("job", "logs", numbers()[0])
    assert done.returncode == 3
    assert f"{theta.path}/data/w/a0/job.out at the site theta" in done.stderr
