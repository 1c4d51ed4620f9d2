"""`balsam transfer`: what is moved, and what users do about it; in a database of one's own, and over HTTP."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from balsam.api import App, Job, Site
from tests.commands import Finished, run_balsam
from tests.cores import CORES, reached

Balsam = Callable[..., Finished]


@pytest.fixture(params=CORES)
def balsam_cli(request: pytest.FixtureRequest, db: Path, tmp_path: Path, monkeypatch) -> Iterator[Balsam]:
    with reached(request.param, db, tmp_path, monkeypatch):
        yield run_balsam


@pytest.fixture
def jobs(balsam_cli: Balsam, tmp_path: Path) -> list[Job]:
    site = Site("laptop", str(tmp_path / "site"))
    site.transfer_locations = {"here": "local:", "far": f"globus://{'1' * 8}-1111-1111-1111-{'1' * 12}"}
    site.save()
    slots = {"data": {"required": True, "direction": "in", "local_path": "in.dat"}}
    app = App.objects.create(site_id=site.id, name="Sum", command_template="true", transfers=slots)
    return Job.objects.bulk_create(
        [Job(f"w{n}", app.id, tags={"n": str(n)}, transfers={"data": f"here:/data/{n}"}) for n in range(3)]
    )


def rows(done: Finished) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(done.check().stdout)["rows"]
    return found


def test_transfers_are_listed_counted_and_shown(jobs, balsam_cli: Balsam):
    found = rows(balsam_cli("transfer", "ls", "-o", "json"))
    assert [(row["job_id"], row["state"], row["remote"]) for row in found] == [
        (job.id, "pending", f"here:/data/{n}") for n, job in enumerate(jobs)
    ]
    assert rows(balsam_cli("transfer", "ls", "--by-state", "-o", "json")) == [
        {"state": "pending", "count": 3}
    ]
    assert len(rows(balsam_cli("transfer", "ls", "--tag", "n=1", "-o", "json"))) == 1
    assert "remote_path: /data/2" in balsam_cli("transfer", "show", "--job", jobs[2].id).check().stdout
    assert balsam_cli("transfer", "ls", "--state", "nonsense").returncode == 2
    assert balsam_cli("transfer", "show", "--job", 999).returncode == 3
    assert balsam_cli("transfer", "retry").returncode == 3, "none has failed, and none waits"


def test_transfers_are_cancelled_and_tried_again(jobs, balsam_cli: Balsam):
    job = jobs[0]
    assert balsam_cli("transfer", "cancel", "--job", job.id).returncode == 2, "nobody answered"
    done = balsam_cli("transfer", "cancel", "--job", job.id, "--yes").check()
    assert "1 transfer is cancelled" in done.stdout
    job.refresh_from_db()
    assert job.state == "FAILED"
    balsam_cli("transfer", "retry", "--job", job.id).check()
    job.refresh_from_db()
    assert job.state == "READY"
    assert rows(balsam_cli("transfer", "ls", "--job", job.id, "-o", "json"))[0]["state"] == "pending"


def test_job_is_made_with_a_transfer(jobs, balsam_cli: Balsam):
    words = ("job", "create", "--app", "Sum", "--workdir", "x", "--yes")
    asked = balsam_cli(*words[:-1], "--stage-data", "data=here:/y", input="n\n").check()
    assert "transfers:\n  data:" in asked.stdout and "/y" in asked.stdout, "it is shown before it is added"
    balsam_cli(*words, "--stage-data", "data=here:/y").check()
    assert rows(balsam_cli("transfer", "ls", "-o", "json"))[-1]["remote"] == "here:/y"
    refused = balsam_cli(*words, "--stage-data", "dat=here:/y")
    assert refused.returncode == 2 and "Did you mean 'data'" in refused.stderr


def test_login_by_ssh_is_only_for_what_goes_by_ssh(jobs, balsam_cli: Balsam):
    done = balsam_cli("transfer", "login", "far")
    assert done.returncode == 2 and "`balsam site globus-login`" in done.stderr
    assert "not by ssh" in balsam_cli("transfer", "login", "here").stderr
