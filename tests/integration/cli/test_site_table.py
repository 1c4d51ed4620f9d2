"""Every row of the commands of sites, through pipes: what it prints, where, and with which exit code."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from balsam.api import App, BatchJob, Job, Site
from balsam.config.site_dir import SiteDir, write_site_file
from balsam.core.models import QueuedLaunch
from tests.commands import Finished

Balsam = Callable[..., Finished]

HELLO = ("--app", "Hello", "--workdir", "demo/hello", "--param", "name=world")


@pytest.fixture
def theta(db: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A site with settings told, and the application Hello; one stands outside of it."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "theta-site"
    (path / "data").mkdir(parents=True)
    site = Site.objects.create(
        "theta",
        path,
        allowed_queues={"debug": {"max_nodes": 2, "max_walltime": 60, "max_queued_jobs": 1}},
        allowed_projects=["mine"],
        optional_batch_job_params={"ssd": "128"},
        node_shape={"cpus": 64, "gpus": 4},
    )
    write_site_file(SiteDir(path=path, site_id=site.id, database=str(db)))
    App.objects.create(
        site_id=site.id,
        name="Hello",
        command_template="echo {{ name }}",
        parameters={"name": {"required": True}},
        transfers={"data": {"required": False, "direction": "in", "local_path": "d", "description": ""}},
    )
    return site


def cells(text: str) -> list[list[str]]:
    """Cells of a table: its titles, then its rows."""
    lines = text.splitlines()
    return [[cell.strip() for cell in line.split("|")] for line in (lines[0], *lines[2:])]


# -- sites and applications --------------------------------------------------------------------------


def test_sites_are_listed(balsam: Balsam, theta: Site, monkeypatch: pytest.MonkeyPatch):
    titles, *rows = cells(balsam("site", "ls").check().stdout)
    assert titles == ["ID", "Name", "Path", "Active"]
    shown = str(theta.path) if len(str(theta.path)) <= 40 else f"...{str(theta.path)[-37:]}"
    assert rows[1] == [str(theta.id), "theta", shown, "No"]
    assert len(rows) == 2
    monkeypatch.chdir(str(theta.path))
    assert len(cells(balsam("site", "ls").check().stdout)) == 3
    documents = balsam("site", "ls", "-v").check().stdout.split("---\n")
    assert yaml.safe_load(documents[1])["allowed_projects"] == ["mine"]


def test_applications_are_listed_and_removed(balsam: Balsam, theta: Site):
    app = App.objects.get(name="Hello")
    assert cells(balsam("app", "ls").check().stdout) == [
        ["ID", "Name", "Site"],
        [str(app.id), "Hello", "theta"],
    ]
    assert cells(balsam("app", "ls", "-s", "theta").check().stdout)[1][1] == "Hello"
    assert yaml.safe_load(balsam("app", "ls", "-v").check().stdout.split("----")[0])["name"] == "Hello"
    Job("w", app.id, parameters={"name": "x"}).save()
    for words, code, told in (
        ((), 2, "one of --name NAME and --all"),
        (("-n", "Hello", "-a"), 2, "one of"),
        (("-a",), 2, "--all --site NAME"),
        (("-n", "Nope"), 3, "'Nope'"),
        (("-n", "Hello"), 2, "--yes"),
    ):
        done = balsam("app", "rm", *words)
        assert (done.returncode, told in done.stderr) == (code, True), done.output
    assert "1 jobs" in balsam("app", "rm", "-n", "Hello", input="n\n").check().stdout
    balsam("app", "rm", "-a", "-s", "theta", "--yes").check()
    assert not App.objects.count() and not Job.objects.count()


# -- job create --------------------------------------------------------------------------------------

#: Options -> field -> value of the job made.
CREATED: list[tuple[tuple[str, ...], dict[str, Any]]] = [
    ((), {"workdir": "demo/hello", "num_nodes": 1, "wall_time_min": 1, "tags": {}, "state": "PREPROCESSED"}),
    (("-tag", "a=b=c", "--tag", "d="), {"tags": {"a": "b=c", "d": ""}}),
    (("-n", "2", "-rpn", "4", "-tpr", "2", "-tpc", "2"), {"num_nodes": 2, "ranks_per_node": 4}),
    (("-g", "0.5", "-npc", "8"), {"gpus_per_rank": 0.5, "node_packing_count": 8}),
    (("-lp", "cc=depth", "--launch-param", "x=1"), {"launch_params": {"cc": "depth", "x": "1"}}),
    (("-t", "0"), {"wall_time_min": 0}),
    (("--wall-time-min", "30", "--priority", "5"), {"wall_time_min": 30, "priority": 5}),
    (("--site", "theta"), {"workdir": "demo/hello"}),
]


@pytest.mark.parametrize(("options", "fields"), CREATED)
def test_job_is_made_as_its_options_say(
    balsam: Balsam, theta: Site, options: tuple[str, ...], fields: dict[str, Any]
):
    done = balsam("job", "create", *HELLO, *options, "--yes").check()
    (job,) = Job.objects.all()
    assert {name: getattr(job, name) for name in fields} == fields
    shown, _, last = done.stdout.rstrip("\n").rpartition("\n")
    assert last == f"Added Job id={job.id}" and yaml.safe_load(shown)["workdir"] == "demo/hello"
    assert job.get_parameters() == {"name": "world"} and job.site_id == theta.id


def test_parents_are_named_by_number_or_id(balsam: Balsam, theta: Site):
    from balsam.core.models import BalsamJob

    balsam("job", "create", *HELLO, "--yes").check()
    parent = BalsamJob.objects.get()
    for name in (str(parent.number), str(parent.pk)[:8]):
        balsam("job", "create", *HELLO, "-pid", name, "--yes").check()
    assert [job.parent_ids for job in Job.objects.order_by("id")][1:] == [{parent.number}] * 2
    assert Job.objects.filter(state="AWAITING_PARENTS").count() == 2


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        (("-a", "Hello"), 2, "--workdir"),
        (("-w", "x"), 2, "--app"),
        (("-a", "Nope", "-w", "x"), 3, "'Nope'"),
        (("-a", "999", "-w", "x"), 3, "no application 999"),
        (("-a", "Hello", "-w", "/abs", "-p", "name=x"), 2, "relative path"),
        (("-a", "Hello", "-w", "../x", "-p", "name=x"), 2, "relative path"),
        (("-a", "Hello", "-w", "x"), 2, "needs the parameter name"),
        (("-a", "Hello", "-w", "x", "-p", "name=x", "-p", "b=c"), 2, "takes no parameter b"),
        (("-a", "Hello", "-w", "x", "-p", "name"), 2, "format KEY=VALUE"),
        (("-a", "Hello", "-w", "x", "-tag", "=x"), 2, "format KEY=VALUE"),
        (("-a", "Hello", "-w", "x", "-lp", "x"), 2, "format KEY=VALUE"),
        (("-a", "Hello", "-w", "x", "-s", "x"), 2, "format KEY=VALUE"),
        (("-a", "Hello", "-w", "x", "-s", "d=a:/x", "-s", "d=a:/y"), 2, "'d' is given twice"),
        (("-a", "Hello", "-w", "x", "-p", "name=x", "-n", "0"), 2, "must be 1 or more"),
        (("-a", "Hello", "-w", "x", "-p", "name=x", "-n", "two"), 2, "not a valid integer"),
        (("-a", "Hello", "-w", "x", "-p", "name=x", "-t", "-1"), 2, "must be 0 or more"),
        (("-a", "Hello", "-w", "x", "-p", "name=x", "-g", "5"), 2, "a node of theta has 4"),
        (("-a", "Hello", "-w", "x", "-p", "name=x", "-pid", "99", "-pid", "98"), 2, "no job 98, 99"),
        (("-a", "Hello", "-w", "x", "-p", "name=x", "-pid", "abcd12"), 3, "starts with 'abcd12'"),
        (("-a", "Hello", "-w", "x", "-p", "name=x", "--site", "this"), 2, "not inside a site"),
    ],
)
def test_job_that_cannot_be_is_told_of_and_not_made(
    balsam: Balsam, theta: Site, options: tuple[str, ...], code: int, told: str
):
    done = balsam("job", "create", *options, "--yes")
    assert (done.returncode, told in done.stderr) == (code, True), done.output
    assert not Job.objects.count()


def test_job_that_no_queue_takes_is_warned_of(balsam: Balsam, theta: Site):
    done = balsam("job", "create", *HELLO, "-n", "3", "--yes").check()
    assert "Warning: It needs 3 nodes" in done.stderr and "debug takes 2 nodes" in done.stderr
    assert balsam("job", "create", *HELLO, "-n", "2", "--yes").check().stderr == ""


def test_question_about_a_new_job_is_answered_or_nothing_is_done(balsam: Balsam, theta: Site):
    create = ("job", "create", *HELLO)
    assert "Do you want to create this Job? [y/n]: " in balsam(*create, input="n\n").check().stdout
    assert balsam(*create, input="").returncode == 2
    assert not Job.objects.count()
    balsam(*create, input="y\n").check()
    assert Job.objects.count() == 1


def test_application_of_several_sites_has_to_be_told(balsam: Balsam, theta: Site):
    other = Site.objects.create("polaris", "/sites/polaris")
    App.objects.create(site_id=other.id, name="Hello", command_template="echo hi")
    done = balsam("job", "create", "-a", "Hello", "-w", "x", "--yes")
    assert done.returncode == 3 and "--site NAME" in done.stderr
    balsam("job", "create", "-a", "Hello", "-w", "x", "--site", "polaris", "--yes").check()
    assert Job.objects.first().site_id == other.id


# -- queue -------------------------------------------------------------------------------------------

SUBMIT = ("queue", "submit", "-n", "2", "-t", "10", "-q", "debug", "-A", "mine", "--site", "theta")
KEYS = (
    *("num_nodes", "wall_time_min", "job_mode", "optional_params", "filter_tags", "partitions", "id"),
    *("site_id", "scheduler_id", "project", "queue", "state", "status_info", "start_time", "end_time"),
)


def test_batch_job_is_asked_for_with_every_flag(balsam: Balsam, theta: Site):
    words = ("-j", "mpi", "-tag", "a=b", "--tag", "c=d", "-x", "ssd=256", "-p", "mpi:1:role=x")
    done = balsam(*SUBMIT, *words, "--part", "serial:1").check()
    shown = yaml.safe_load(done.stdout)
    assert tuple(shown) == KEYS and shown["state"] == "pending_submission"
    assert shown["filter_tags"] == {"a": "b", "c": "d"} and shown["optional_params"] == {"ssd": "256"}
    assert shown["partitions"] == [
        {"job_mode": "mpi", "num_nodes": 1, "filter_tags": {"role": "x"}},
        {"job_mode": "serial", "num_nodes": 1, "filter_tags": {}},
    ]
    assert "Warning: the site theta has no agent" in done.stderr and "balsam site start" in done.stderr
    balsam(*SUBMIT, "-p", "serial:2").check()
    assert BatchJob.objects.order_by("-id").first().job_mode == "serial"


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        ((), 2, "--job-mode serial"),
        (("-j", "both"), 2, "'both' is not one of"),
        (("-j", "mpi", "-n", "3"), 2, "3 nodes are more than the 2 of the queue 'debug'"),
        (("-j", "mpi", "-n", "0"), 2, "0 is not in the range"),
        (("-j", "mpi", "-t", "61"), 2, "61 minutes are more than the 60"),
        (("-j", "mpi", "-q", "prod"), 2, "queue 'prod'. It knows: debug. See allowed_queues"),
        (("-j", "mpi", "-A", "yours"), 2, "project 'yours'. It knows: mine"),
        (("-j", "mpi", "-x", "fast=yes"), 2, "extra parameter 'fast'. It knows: ssd"),
        (("-j", "mpi", "-x", "fast"), 2, "format KEY=VALUE"),
        (("-p", "mpi:1"), 2, "do not add up to 2"),
        (("-p", "mpi"), 2, "format MODE:NODES"),
        (("-p", "mpi:0", "-p", "mpi:2"), 2, "format MODE:NODES"),
        (("-p", "mpi:2:x"), 2, "format MODE:NODES"),
        (("-j", "mpi", "--site", "nowhere"), 3, "'nowhere'"),
    ],
)
def test_batch_job_that_the_site_does_not_allow_is_not_asked_for(
    balsam: Balsam, theta: Site, options: tuple[str, ...], code: int, told: str
):
    done = balsam(*SUBMIT, *options)
    assert (done.returncode, told in done.stderr) == (code, True), done.output
    assert not BatchJob.objects.count()


@pytest.mark.parametrize("missing", ["-n", "-t", "-q", "-A"])
def test_what_is_required_of_a_batch_job_is_asked_for(balsam: Balsam, theta: Site, missing: str):
    at = SUBMIT.index(missing)
    done = balsam(*SUBMIT[:at], *SUBMIT[at + 2 :], "-j", "mpi")
    assert done.returncode == 2 and f"'{missing}'" in done.stderr


def add_batch_jobs(balsam: Balsam) -> list[int]:
    """Four batch jobs: pending, queued as 6777, running as 6778, and finished as 6779."""
    for _ in range(4):
        balsam(*SUBMIT, "-j", "mpi", "--tag", "a=b").check()
    ids = [batch_job.id for batch_job in BatchJob.objects.order_by("id")]
    QueuedLaunch.objects.filter(pk=ids[1]).update(status="queued", scheduler_id="6777", reason="Priority")
    QueuedLaunch.objects.filter(pk=ids[2]).update(status="running", scheduler_id="6778")
    from django.utils.timezone import now

    QueuedLaunch.objects.filter(pk=ids[3]).update(
        status="finished", scheduler_id="6779", ended=now(), end="timeout"
    )
    return ids


def test_batch_jobs_are_listed(balsam: Balsam, theta: Site):
    empty = balsam("queue", "ls").check()
    assert "No active batch jobs.  Use --history" in empty.stderr and len(empty.stdout.splitlines()) == 2
    ids = [str(number) for number in add_batch_jobs(balsam)]
    titles, *rows = cells(balsam("queue", "ls").check().stdout)
    assert titles == [
        *("id", "site", "scheduler_id", "state", "filter_tags", "project", "queue", "num_nodes"),
        *("wall_time_min", "job_mode"),
    ]
    assert rows[1] == [ids[1], "theta", "6777", "queued", "{'a': 'b'}", "mine", "debug", "2", "10", "mpi"]
    for options, wanted in (
        ((), ids[:3]),
        (("--history",), ids),
        (("-h",), ids),
        (("-n", "2"), ids[2:]),
        (("--scheduler_id", "6779"), ids[3:]),
        (("--scheduler-id", "6777"), ids[1:2]),
        (("--site", "theta"), ids[:3]),
        (("--site", "1"), []),
    ):
        assert balsam("queue", "ls", *options, "-o", "ids").check().stdout.split() == wanted, options


def test_batch_jobs_are_shown_in_full(balsam: Balsam, theta: Site):
    import ast

    add_batch_jobs(balsam)
    lines = balsam("queue", "ls", "-v", "--history").check().stdout.splitlines()
    shown = [ast.literal_eval(line) for line in lines]
    assert tuple(shown[0]) == KEYS and len(shown) == 4
    assert shown[1]["status_info"]["reason"] == "Priority" and shown[3]["status_info"]["end"] == "timeout"


def test_batch_jobs_are_ended_by_either_number(balsam: Balsam, theta: Site):
    pending, queued, running, finished = add_batch_jobs(balsam)
    for number, batch_job in ((pending, pending), ("6777", queued), (running, running)):
        done = balsam("queue", "term", number).check()
        assert "Marked BatchJob for deletion" in done.stdout
        assert ("no agent" in done.stderr) == (batch_job != pending)
    states = {batch_job.id: batch_job.state for batch_job in BatchJob.objects.all()}
    assert states[queued] == states[running] == "pending_deletion" and states[pending] == "finished"
    for number in (finished, "6779", pending):
        done = balsam("queue", "term", number)
        assert done.returncode == 4 and "BatchJob is not queued or running" in done.stderr
    assert balsam("queue", "term", "4711").returncode == 3
    assert balsam("queue", "term", "6777", "--site", "1").returncode == 3


def test_number_that_two_sites_have_is_told_with_both(balsam: Balsam, theta: Site):
    first, second, *_ = add_batch_jobs(balsam)
    QueuedLaunch.objects.filter(pk=first).update(
        status="queued", scheduler_id="6777", scheduler="pbs", site_id=1
    )
    done = balsam("queue", "term", "6777")
    assert done.returncode == 3 and f"{first} at site 1, {second} at site {theta.id}" in done.stderr
    balsam("queue", "term", "6777", "--site", "theta").check()


# -- the selector of sites ---------------------------------------------------------------------------

#: --site, and which sites it means from outside of them, and from inside of theta; an exit code for none.
SELECTORS: list[tuple[str, str | int, str | int]] = [
    ("", "first theta polaris", "theta"),
    ("all", "first theta polaris", "first theta polaris"),
    ("theta,all", "first theta polaris", "first theta polaris"),
    ("this", 2, "theta"),
    ("active", "polaris", "polaris"),
    ("theta", "theta", "theta"),
    (" theta , polaris ", "theta polaris", "theta polaris"),
    ("{theta}", "theta", "theta"),
    ("{theta},{polaris}", "theta polaris", "theta polaris"),
    ("theta-site", "theta", "theta"),
    ("-site", "theta polaris", "theta polaris"),
    ("this,polaris", 2, "theta polaris"),
    ("nowhere", 3, 3),
    ("999", 3, 3),
    ("%", 3, 3),
    ("THETA", 3, 3),
]
#: The same for commands that are about one site.
ONE: list[tuple[str, str | int, str | int]] = [
    ("", 2, "theta"),
    ("this", 2, "theta"),
    ("theta", "theta", "theta"),
    ("{polaris}", "polaris", "polaris"),
    ("polaris-si", "polaris", "polaris"),
    ("active", "polaris", "polaris"),
    ("-site", 3, 3),
    ("nowhere", 3, 3),
]


@pytest.fixture
def places(balsam: Balsam, theta: Site, tmp_path: Path) -> dict[str, Any]:
    """Three sites, each with a job and an application of its name; polaris is active."""
    (tmp_path / "polaris-site").mkdir()
    polaris = Site.objects.create("polaris", tmp_path / "polaris-site")
    first = Site.objects.get(id=1)
    polaris.save()
    from django.utils.timezone import now

    from balsam.core.models import Site as Row

    Row.objects.filter(pk=polaris.id).update(last_refresh=now())
    Row.objects.exclude(pk=polaris.id).update(last_refresh=None)
    sites = {"first": first, "theta": theta, "polaris": polaris}
    for name, site in sites.items():
        app = App.objects.create(site_id=site.id, name=f"Of{name}", command_template="true")
        Job(name, app.id).save()
    return {name: site.id for name, site in sites.items()}


@pytest.mark.parametrize("is_inside", [False, True])
@pytest.mark.parametrize(("selector", "outside", "inside"), SELECTORS)
def test_sites_are_selected_by_name_id_path_and_place(
    balsam: Balsam, theta: Site, places: dict[str, Any], selector: str, outside: str | int, inside: str | int,
    is_inside: bool, monkeypatch: pytest.MonkeyPatch,
):  # fmt: skip
    if is_inside:
        monkeypatch.chdir(Path(str(theta.path)) / "data")
    meant = inside if is_inside else outside
    words = (f"--site={selector.format(**places)}",) if selector else ()
    done = balsam("job", "ls", *words, "-o", "json")
    if isinstance(meant, int):
        assert done.returncode == meant and done.stderr, done.output
        return
    assert {row["workdir"] for row in json.loads(done.check().stdout)["rows"]} == set(meant.split())
    apps = json.loads(balsam("app", "ls", *words, "-o", "json").check().stdout)["rows"]
    assert {row["name"] for row in apps} - {"Hello"} == {f"Of{name}" for name in meant.split()}


@pytest.mark.parametrize("is_inside", [False, True])
@pytest.mark.parametrize(("selector", "outside", "inside"), ONE)
def test_one_site_is_selected_or_candidates_are_named(
    balsam: Balsam, theta: Site, places: dict[str, Any], selector: str, outside: str | int, inside: str | int,
    is_inside: bool, monkeypatch: pytest.MonkeyPatch,
):  # fmt: skip
    if is_inside:
        monkeypatch.chdir(str(theta.path))
    meant = inside if is_inside else outside
    words = (f"--site={selector.format(**places)}",) if selector else ()
    submit = ("queue", "submit", "-n", "1", "-t", "5", "-q", "debug", "-A", "mine", "-j", "mpi")
    done = balsam(*submit, *words)
    if isinstance(meant, str):
        done.check()
        assert [batch_job.site_id for batch_job in BatchJob.objects.all()] == [places[meant]]
        return
    assert done.returncode == meant, done.output
    if selector == "-site" or (not selector and not is_inside):
        assert f"theta ({places['theta']}, {theta.path})" in done.stderr and "polaris (" in done.stderr
