"""No-op jobs per second of a launcher of a site: through a server, against one's own database, and xargs."""

import os
from pathlib import Path

from balsam.api import App, Job, Site, connection
from balsam.api.connection import use_client
from balsam.client import Client
from balsam.core.models import BalsamJob, process_job_times
from tests.benchmarks.figures import Figure
from tests.benchmarks.floors import xargs_rate
from tests.benchmarks.scratch import run_launcher, scratch_database
from tests.commands import run_balsam
from tests.serving import client_file, log_in, served

GOAL = 0.7


def over_http(jobs: int) -> Figure:
    """Measure launchers in turns, so that a machine that slows down slows both."""
    own: list[float] = []
    http: list[float] = []
    with scratch_database() as directory:
        db = Path(os.environ["BALSAM_DB_PATH"])
        with served(db) as address:
            alice = Client(log_in(address, "alice"))
            login = {"BALSAM_CLIENT_PATH": str(client_file(directory, alice.transport))}  # type: ignore[arg-type]
            for turn in range(3):
                own.append(_rate(Client(), {}, directory / f"own{turn}", jobs))
                http.append(_rate(alice, {**login, "BALSAM_DB_PATH": ""}, directory / f"http{turn}", jobs))
        floor = xargs_rate(jobs)
    ratio = max(http) / max(own)
    return Figure(
        "http",
        jobs,
        {"jobs_per_sec": max(http)},
        floor={"own_database_jobs_per_sec": max(own), "xargs_per_sec": floor},
        ratio=ratio,
        is_reached=ratio >= GOAL,
        goal=f"ratio >= {GOAL}",
    )


def _rate(client: Client, env: dict[str, str], path: Path, jobs: int) -> float:
    """Make a site with no-op jobs, run them, and return the rate from the first start to the last end."""
    use_client(client)
    run_balsam("site", "init", "-n", path.name, "-c", "local", "-y", path, env=env).check()
    settings = (path / "settings.yml").read_text()
    (path / "settings.yml").write_text(settings.replace("idle_ttl_sec: 60", "idle_ttl_sec: 0"))
    site = Site.objects.get(path.name)
    app = App.objects.create(site_id=site.id, name="true", command_template="true")
    Job.objects.bulk_create([Job(f"t{n}", app.id, node_packing_count=2) for n in range(jobs)])
    before = dict(os.environ)
    os.environ.update(env, BALSAM_SITE_PATH=str(path))
    try:
        run_launcher()
    finally:
        os.environ.clear()
        os.environ.update(before)
        connection._clients.clear()
    times = process_job_times(BalsamJob.objects.filter(site_id=site.id))
    assert len(times["JOB_FINISHED"]) == jobs, "some jobs did not finish, or twice"
    return jobs / (max(times["JOB_FINISHED"]) - min(times["RUNNING"])).total_seconds()
