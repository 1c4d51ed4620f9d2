"""Files and directories on their way through graphs of jobs: for scripts, and for sites on both faces."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest

from balsam.api import App, Job, Site
from tests.commands import run_balsam
from tests.cores import CORES, reached
from tests.jobs import add_app, add_job
from tests.launching import run_launcher, script
from tests.services import ServiceHome
from tests.sites import edit_settings
from tests.waiting import wait_until

#: Who moves the files: a launcher does where there is no agent.
MOVERS = ("launcher", "agent")
MAKE = "#!/bin/sh\nfor i in 0 1 2; do mkdir -p part$i/deep; echo $((i + 2)) > part$i/deep/n; done\n"
SQUARE = "#!/bin/sh\nmkdir done; n=$(cat part*/deep/n); echo $((n * n)) > done/square\n"
SUM = "#!/bin/sh\ns=0; for d in done*; do s=$((s + $(cat $d/square))); done; mkdir all; echo $s > all/sum\n"


@pytest.fixture(params=MOVERS)
def by(request: pytest.FixtureRequest) -> str:
    """Who moves the files."""
    mover: str = request.param
    return mover


def test_directories_go_from_jobs_to_jobs(by: str, db: Path, tmp_path: Path) -> None:
    """A directory for each child, directories of one name gathered, one taken out."""
    for name, text in (("make", MAKE), ("square", SQUARE), ("sum", SUM)):
        add_app(name, str(script(tmp_path, name, text)))
    results = tmp_path / "results"
    results.mkdir()
    make = add_job(application="make", name="make", workflow="map")
    squares = [
        add_job(make, application="square", name=f"square{i}", workflow="map", input_files=f"part{i}")
        for i in range(3)
    ]
    total = add_job(
        *squares,
        application="sum",
        name="sum",
        workflow="map",
        input_files="done",
        stage_out_url=str(results),
        stage_out_files="all",
    )
    home = ServiceHome(tmp_path / "home")
    home.configure()
    with home.service() if by == "agent" else nullcontext():
        run_launcher().check()
        total.refresh_from_db()
        assert total.state == "JOB_FINISHED"
    assert (results / "all" / "sum").read_text() == f"{4 + 9 + 16}\n"
    gathered = sorted(path.name for path in Path(total.working_directory).glob("done*"))
    assert gathered == sorted(["done", *(f"done_{str(job.job_id)[:8]}" for job in squares[1:])])


@pytest.fixture(params=CORES)
def core(request: pytest.FixtureRequest, db: Path, tmp_path: Path, monkeypatch) -> Iterator[None]:
    with reached(request.param, db, tmp_path, monkeypatch):
        yield


def slots(**local: str) -> dict[str, dict[str, object]]:
    """Slots of these local paths; those whose path ends with / are directories."""
    return {
        name: {
            "required": True,
            "direction": "out" if name.startswith("result") else "in",
            "local_path": path.rstrip("/"),
            "recursive": path.endswith("/"),
        }
        for name, path in local.items()
    }


@contextmanager
def agent_of(path: Path) -> Iterator[None]:
    """Have the agent of a site run."""
    run_balsam("site", "start", cwd=path).check()
    try:
        yield
    finally:
        run_balsam("site", "stop", cwd=path).check()


def test_slots_carry_a_map_and_reduce_in_and_out(by: str, core: None, tmp_path: Path, monkeypatch) -> None:
    """Each job takes its data in and its result out; the last one takes a directory of results in."""
    path, store = tmp_path / "site", tmp_path / "store"
    (store / "in").mkdir(parents=True)
    for i in range(3):
        (store / "in" / str(i)).write_text(str(i + 2))
    run_balsam("site", "init", "-n", "here", "-c", "local", path).check()
    site = Site.objects.get("here")
    places = f"{{store: 'local:{store}'}}"
    edit_settings(path, idle_ttl_sec=("60", "1"), transfer_locations=("{}", places))
    run_balsam("site", "sync", cwd=path).check()
    square = App.objects.create(
        site_id=site.id,
        name="Square",
        command_template="n=$(cat n); echo $((n * n)) > square",
        transfers=slots(data="n", result="square"),
    )
    total = App.objects.create(
        site_id=site.id,
        name="Sum",
        command_template="s=0; for f in all/*; do s=$((s + $(cat $f))); done; mkdir out; echo $s > out/sum",
        transfers=slots(data="all/", result="out/"),
    )
    squares = [
        Job(
            f"square/{i}",
            square.id,
            transfers={"data": f"store:{store}/in/{i}", "result": f"store:{store}/squares/{i}"},
        )
        for i in range(3)
    ]
    squares = Job.objects.bulk_create(squares)
    last = Job.objects.create(
        "sum",
        total.id,
        parent_ids=[job.id for job in squares],
        transfers={"data": f"store:{store}/squares", "result": f"store:{store}/end"},
    )
    with agent_of(path) if by == "agent" else nullcontext():
        if by == "agent":
            wait_until(lambda: Job.objects.filter(state="PREPROCESSED").count() == 3, what="data to come in")
        done = run_balsam("launcher", "--job-mode=serial", cwd=path, timeout_sec=120).check()
        last.refresh_from_db()
        assert last.state == "JOB_FINISHED"
        said = "4 jobs ran and go on without" if by == "agent" else "4 jobs finished, 0 failed"
        assert said in done.stdout + done.stderr
    assert (store / "end" / "sum").read_text() == f"{4 + 9 + 16}\n"


def test_data_that_nobody_moves_is_explained_and_goes_on(core: None, tmp_path: Path) -> None:
    """An agent without a section for transfers leaves a job waiting: it says so, and what to do."""
    path = tmp_path / "site"
    (tmp_path / "data").write_text("the data")
    run_balsam("site", "init", "-n", "here", "-c", "local", path).check()
    edit_settings(path, transfer_locations=("{}", "{store: 'local:/'}"))
    run_balsam("site", "sync", cwd=path).check()
    app = App.objects.create(
        site_id=Site.objects.get("here").id,
        name="Read",
        command_template="cat n",
        transfers=slots(data="n"),
    )
    settings = path / "settings.yml"
    whole = settings.read_text()
    section = whole[whole.index("\ntransfers:") : whole.index("  max_concurrent_transfers: 5\n")]
    settings.write_text(whole.replace(f"{section}  max_concurrent_transfers: 5\n", "\ntransfers: null\n"))
    with agent_of(path):
        job = Job.objects.create("w", app.id, transfers={"data": f"store:{tmp_path}/data"})
        said = run_balsam("job", "explain", job.id, cwd=path).check().stdout
        assert "moves no files" in said and "`transfers`" in said, said
        settings.write_text(whole)
        run_balsam("site", "sync", cwd=path).check()
        wait_until(lambda: (job.refresh_from_db(), job.state == "PREPROCESSED")[1], what="the data")
