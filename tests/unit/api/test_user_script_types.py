"""Scripts of users can be checked strictly: every public name says its types."""

import os
import subprocess
import sys
from pathlib import Path

import balsam

SCRIPT = """
from datetime import datetime
from pathlib import Path

from balsam.analytics import available_nodes, throughput_report, utilization_report
from balsam.api import (
    App, AppParameter, ApplicationDefinition, BatchJob, BatchJobPartition, EventLog, Job, JobMode, JobState,
    Session, Site, TransferDirection, TransferSlot, models, site_config,
)
from balsam.config import ClientSettings, InvalidSettings, Settings, SiteConfig, balsam_home


class Hello(ApplicationDefinition):
    site = "here"
    command_template = "echo {{ name }}"
    parameters = {"name": AppParameter(required=False, default="you")}
    transfers = {"in": TransferSlot(True, TransferDirection.IN, "in.txt")}

    def preprocess(self) -> None:
        self.job.state = JobState.PREPROCESSED
        self.job.data["seen"] = self.job.num_nodes + 1

    def shell_preamble(self) -> list[str]:
        return ["module load gcc"]


Hello.sync()
submitted: Job = Hello.submit("w", tags={"a": "b"}, name="x")
loaded: dict[str, type[ApplicationDefinition]] = ApplicationDefinition.load_by_site("here")
job = Job("w", app_id="Hello", site_name="here", parameters={"name": "y"}, parent_ids=[submitted.id])
job.save()
number: int = job.id
parents: set[int] = job.parent_ids
made: list[Job] = Job.objects.bulk_create([job])
first: Job = Job.objects.filter(tags={"a": "b"}).order_by("-id").first()
done, not_done = Job.objects.wait(made, timeout=1.0)
for ended in Job.objects.as_completed(done):
    print(ended.result(), ended.last_update.isoformat())
site: Site = Site.objects.get("here")
path: Path = site.path
app: App = models.App.objects.get(site_name="here", name="Hello")
batch_job = BatchJob.objects.create(site_id=site.id, num_nodes=1, job_mode=JobMode.MPI)
parts: list[BatchJobPartition] | None = batch_job.partitions
batch_job.validate(site.allowed_queues, site.allowed_projects, site.optional_batch_job_params)
session = Session.objects.create(site.id)
mine: list[Job] = session.acquire_jobs(5, filter_tags={"a": "b"}, states={JobState.PREPROCESSED})
session.tick()
events = EventLog.objects.filter(timestamp_after=datetime(2026, 1, 1))
times, counts = throughput_report(events, to_state="JOB_FINISHED")
soonest: datetime = min(times)
more: tuple[list[datetime], list[float]] = utilization_report(events)
nodes: tuple[list[datetime], list[int]] = available_nodes(BatchJob.objects.all())
if site_config is not None:
    config: SiteConfig = site_config
    settings: Settings = config.settings
    log: Path = config.enable_logging()
login = ClientSettings.load_from_file()
if login is not None:
    login.build_client()
home: Path = balsam_home()
print(InvalidSettings, app.parameters, nodes)
"""
WRONG = {
    "job.num_nodes = 'two'": "assignment",
    "text: str = job.id": "assignment",
    "session.acquire_jobs('5')": "arg-type",
    "Job.objects.wait(job)": "arg-type",
}


def check(tmp_path: Path, text: str) -> str:
    script = tmp_path / "script.py"
    script.write_text(text)
    words = ["mypy", "--strict", "--follow-imports=silent", "--cache-dir", str(tmp_path), str(script)]
    done = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": str(Path(balsam.__file__).parents[1])},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return done.stdout + done.stderr


def test_script_that_uses_every_name_has_no_complaint_and_mistakes_are_seen(tmp_path: Path):
    assert "Success" in check(tmp_path, SCRIPT)
    seen = check(tmp_path, SCRIPT + "\n".join(WRONG))
    assert seen.count("error:") == len(WRONG), seen
    assert all(f"[{kind}]" in seen for kind in WRONG.values())
