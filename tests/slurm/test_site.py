"""A site on the four nodes of a real Slurm: its agent submits, its launchers run, on both kinds of core."""

from collections import Counter
from pathlib import Path

import pytest

from balsam.api import App, BatchJob, Job, Site
from tests.commands import Finished, run_balsam
from tests.cores import CORES, reached
from tests.slurm.cluster import SlurmCluster
from tests.waiting import wait_until

PATIENCE_SEC = 180


@pytest.mark.parametrize("core", CORES)
def test_batch_job_of_a_site_runs_its_jobs_on_two_nodes(
    core: str, db: Path, tmp_path: Path, slurm: SlurmCluster, monkeypatch: pytest.MonkeyPatch
):
    for name, value in {**slurm.env, "BALSAM_HOME": str(tmp_path / "home")}.items():
        monkeypatch.setenv(name, value)
    path = tmp_path / "site"

    def balsam(*args: object) -> Finished:
        return run_balsam(*args, cwd=path if path.exists() else tmp_path)

    with reached(core, db, tmp_path, monkeypatch):
        balsam("site", "init", "-n", "there", "-c", "slurm", "--project", "demo", "site").check()
        settings = (path / "settings.yml").read_text().replace("sync_period: 10", "sync_period: 1")
        (path / "settings.yml").write_text(settings.replace("idle_ttl_sec: 60", "idle_ttl_sec: 1"))
        balsam("site", "start").check()
        try:
            site = Site.objects.get("there")
            app = App.objects.create(site_id=site.id, name="Where", command_template="echo $SLURMD_NODENAME")
            made = [Job(f"w/{n}", app.id, tags={"run": "1"}, node_packing_count=4) for n in range(40)]
            jobs = Job.objects.bulk_create(made)
            other = Job.objects.create("other", app.id, tags={"run": "2"})
            ask = ("queue", "submit", "-n", "2", "-t", "10", "-q", "debug", "-A", "demo", "-j", "serial")
            balsam(*ask, "--tag", "run=1").check()
            wait_until(lambda: not Job.objects.wait(jobs, timeout=5).not_done, PATIENCE_SEC)
            ended = Job.objects.filter(id=[job.id for job in jobs])
            assert Counter(job.state for job in ended) == {"JOB_FINISHED": 40}
            nodes = {(path / "data" / job.workdir / "job.out").read_text() for job in jobs}
            assert len(nodes) == 2, nodes
            wait_until(lambda: BatchJob.objects.first().state == "finished", PATIENCE_SEC)
            batch_job = BatchJob.objects.first()
            assert batch_job.start_time and batch_job.status_info["end"] == "completed"
            assert {job.batch_job_id for job in ended} == {batch_job.id}
            assert Job.objects.get(id=other.id).state == "PREPROCESSED"
        finally:
            balsam("site", "stop")
            for log in [*path.glob("log/*.log"), *path.glob("qsubmit/*")]:
                print(f"== {log}\n{log.read_text(errors='backslashreplace')}")
