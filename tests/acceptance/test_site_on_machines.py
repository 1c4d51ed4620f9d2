"""Sites on machines with batch systems of all kinds: the documents' queues, directives and listings."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from balsam.api import App, BatchJob, Job, Site
from balsam.selftest.setting_up import make_fake
from tests.commands import Finished, run_balsam
from tests.waiting import wait_until

Balsam = Callable[..., Finished]

#: Machine, its batch system, a queue of the documents, and a directive of the script.
MACHINES = [
    ("thetagpu", "cobalt", "training-gpu", "#COBALT -q training-gpu"),
    ("aurora", "pbs", "debug-scaling", "#PBS -l select=1"),
    ("slurm", "slurm", "debug", "#SBATCH"),
    ("summit", "lsf", "debug", "#BSUB -q debug"),
]


@pytest.mark.parametrize(("machine", "scheduler", "queue", "directive"), MACHINES)
def test_batch_job_of_a_site_runs_its_jobs(
    db: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    machine: str,
    scheduler: str,
    queue: str,
    directive: str,
):
    commands = make_fake(scheduler, tmp_path / "fake", queues={queue: {}}, projects=["demo"])
    monkeypatch.setenv("PATH", f"{commands}:{os.environ['PATH']}")
    env = {"BALSAM_DB_PATH": str(db), "BALSAM_HOME": str(tmp_path / "home"), "BALSAM_SITE_PATH": ""}
    path = tmp_path / "site"

    def balsam(*args: object, cwd: Path = tmp_path) -> Finished:
        return run_balsam(*args, cwd=cwd, env=env)

    balsam("site", "init", "-n", "there", "-c", machine, "--project", "demo", "site").check()
    settings = (path / "settings.yml").read_text()
    for before, after in (  # its nodes are this host; it says where else one may submit to
        ("\nlauncher:\n", "\nlauncher:\n  compute_node: local\n"),
        ("idle_ttl_sec: 60", "idle_ttl_sec: 0.5"),
        ("sync_period: 10", "sync_period: 0.5"),
        ("  allowed_queues: {}\n", "  allowed_queues:\n"),
        ("  allowed_queues:\n", f"  allowed_queues:\n    {queue}: {{max_nodes: 2, max_walltime: 60}}\n"),
    ):
        if "allowed_queues" in before and (f"    {queue}:" in settings or before not in settings):
            continue
        assert before in settings
        settings = settings.replace(before, after)
    (path / "settings.yml").write_text(settings)
    balsam("site", "start", cwd=path).check()
    try:
        site = Site.objects.get("there")
        app = App.objects.create(site_id=site.id, name="Hello", command_template="echo hello")
        jobs = Job.objects.bulk_create([Job(f"w/{n}", app.id, tags={"a": "b"}) for n in range(3)])
        wait_until(lambda: queue in Site.objects.get("there").allowed_queues, 30)
        ask = ("queue", "submit", "-n", "1", "-t", "10", "-q", queue, "-j", "serial", "--tag", "a=b")
        assert balsam(*ask, "-A", "theirs", cwd=path).returncode == 2
        balsam(*ask, "-A", "demo", cwd=path).check()
        wait_until(lambda: all(job.done() for job in jobs), 90)
        assert [job.state for job in jobs] == ["JOB_FINISHED"] * 3
        script = Path(BatchJob.objects.first().status_info["submit_script"])
        assert directive in script.read_text() and script.parent == path / "qsubmit"
        wait_until(lambda: BatchJob.objects.first().state == "finished", 90)
    finally:
        balsam("site", "stop", cwd=path)
        for log in [*path.glob("log/*.log"), *path.glob("qsubmit/*")]:
            print(f"== {log}\n{log.read_text(errors='backslashreplace')}")
