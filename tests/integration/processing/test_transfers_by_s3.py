"""Transfers from and to S3, from the slots of a job to its end."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from balsam.api import App, Job, Site
from balsam.client import Client
from balsam.core.models import BalsamJob, JobEvent
from balsam.processing.transfers import Mover, MoverOptions
from balsam.schemas.sessions import Selection
from balsam.states import JobState as S
from tests.jobs import claim, report
from tests.s3_server import s3_server
from tests.waiting import wait_until

SLOTS = {
    "data": {"required": True, "direction": "in", "local_path": "in.dat"},
    "results": {"required": False, "direction": "out", "local_path": "sub", "recursive": True},
}


@pytest.fixture
def s3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA0")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    with s3_server() as url:
        client = boto3.client("s3", endpoint_url=url, region_name="us-east-1")
        client.create_bucket(Bucket="lake")
        yield client


def test_jobs_bring_objects_and_leave_prefixes(db, tmp_path, s3, session_id):
    (tmp_path / "site").mkdir()
    site = Site("laptop", str(tmp_path / "site"))
    site.transfer_locations = {"lake": f"s3://lake/run?endpoint_url={s3.meta.endpoint_url}"}
    site.save()
    app = App.objects.create(site_id=site.id, name="Sum", command_template="true", transfers=SLOTS)
    for number in range(3):
        s3.put_object(Bucket="lake", Key=f"run/{number}", Body=str(number).encode())
    for number in range(4):
        transfers = {"data": f"lake:/run/{number}", "results": f"lake:/run/out/{number}"}
        Job.objects.create(f"w{number}", app.id, transfers=transfers)
    Job.objects.create("outside", app.id, transfers={"data": "lake:/elsewhere"})
    mover = Mover(Client(), session_id, MoverOptions(selection=Selection(site_id=site.id)))
    mover.start()
    wait_until(lambda: BalsamJob.objects.filter(state=S.PREPROCESSED).count() == 3, 60)
    wait_until(lambda: BalsamJob.objects.filter(state=S.FAILED).count() == 2, 60)
    words = "\n".join(JobEvent.objects.filter(to_state=S.FAILED).values_list("message", flat=True))
    assert "to which the location is confined" in words
    assert "s3://lake/run/3" in words and "NoSuchKey" in words
    for number in range(3):
        workdir = Path(site.path, "data", f"w{number}")
        (workdir / "sub").mkdir()
        (workdir / "in.dat").rename(workdir / "sub" / "result")
    report(session_id, claim(session_id, site_id=site.id, limit=3), S.RUNNING, S.RUN_DONE)
    mover.wake()
    wait_until(lambda: BalsamJob.objects.filter(state=S.JOB_FINISHED).count() == 3, 60)
    mover.stop(5)
    for number in range(3):
        found = s3.get_object(Bucket="lake", Key=f"run/out/{number}/result")
        assert found["Body"].read() == str(number).encode()
