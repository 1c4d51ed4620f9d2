"""Many tasks that take no time, at a site: each runs once, and they share what is told of them."""

from pathlib import Path

import pytest
from django.db import connection

from balsam.api import App, EventLog, Job, Site
from tests.commands import run_balsam
from tests.cores import CORES, reached

TASKS = 1_000
#: A task is claimed, begins, and ends. With a transaction for each of these, there are more than so many.
MOST_COMMITS = TASKS


@pytest.fixture(params=CORES)
def site(request: pytest.FixtureRequest, db: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A site whose launchers leave when there is nothing to do, on one's own database and at a server."""
    with reached(request.param, db, tmp_path, monkeypatch):
        path = tmp_path / "short"
        run_balsam("site", "init", "-n", "short", "-c", "local", "-y", path).check()
        settings = (path / "settings.yml").read_text()
        (path / "settings.yml").write_text(settings.replace("idle_ttl_sec: 60", "idle_ttl_sec: 0"))
        monkeypatch.setenv("BALSAM_SITE_PATH", str(path))
        yield Site.objects.get("short")


def commits() -> int:
    """Count the transactions of connections that have ended, and of this one as far as it has told."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()")
        return int(cursor.fetchone()[0])


def test_thousand_short_tasks_run_once_each_and_are_told_of_together(site: Site):
    app = App.objects.create(site_id=site.id, name="true", command_template="true")
    tasks = [Job(f"t/{n}", app.id, tags={"run": "short"}, node_packing_count=8) for n in range(TASKS)]
    Job.objects.bulk_create(tasks)
    before = commits()
    done = run_balsam("launcher", "--consume-all", "--job-mode", "serial").check()
    assert f"{TASKS} jobs finished, 0 failed" in done.stdout
    assert commits() - before < MOST_COMMITS
    for state in ("RUNNING", "RUN_DONE", "JOB_FINISHED"):
        told = [event.job_id for event in EventLog.objects.filter(to_state=state, tags={"run": "short"})]
        assert len(told) == len(set(told)) == TASKS, state
    assert {job.return_code for job in Job.objects.filter(state="JOB_FINISHED")} == {0}
