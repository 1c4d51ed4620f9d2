"""`balsam job archive`: what it packs and refuses, and that nothing is lost; over HTTP too."""

import json
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from balsam.api import App, Job, Site
from balsam.states import JobState as S
from tests.commands import Finished, run_balsam
from tests.cores import CORES, reached
from tests.jobs import claim, open_session, report


@pytest.fixture(params=CORES)
def core(request: pytest.FixtureRequest, db: Path, tmp_path: Path, monkeypatch) -> Iterator[None]:
    with reached(request.param, db, tmp_path, monkeypatch):
        yield


@pytest.fixture
def site(core: None, tmp_path: Path) -> Site:
    (tmp_path / "theta" / "data").mkdir(parents=True)
    return Site.objects.create("theta", tmp_path / "theta")


@pytest.fixture
def jobs(db: Path, site: Site, monkeypatch: pytest.MonkeyPatch) -> list[Job]:
    """Three jobs: two have finished, and left files; the third waits."""
    app = App.objects.create(site_id=site.id, name="Hello", command_template="true")
    found = Job.objects.bulk_create([Job(f"run/{n}", app.id, tags={"n": str(n)}) for n in range(3)])
    with monkeypatch.context() as here:
        here.setenv("BALSAM_DB_PATH", str(db))
        session = open_session()
        report(session, claim(session, limit=2, site_id=site.id), S.RUNNING, S.RUN_DONE)
    for job in found[:2]:
        path = job.resolve_workdir(Path(site.path) / "data")
        (path / "deep").mkdir(parents=True)
        (path / "out").write_text(f"of {job.id}")
        (path / "deep" / "ä -x").write_bytes(os.urandom(1000))
        (path / "link").symlink_to("/etc/passwd")
        os.mkfifo(path / "pipe")
    return found


def archive(*words: object) -> Finished:
    return run_balsam("job", "archive", *words)


def test_directories_are_packed_and_links_are_not_followed(jobs, site, tmp_path):
    target = tmp_path / "a.tar.gz"
    done = archive(jobs[0].id, jobs[1].id, "--to", target, "--yes").check()
    assert f"Packed 2 jobs into {target}" in done.stdout
    with tarfile.open(target) as tar:
        names = {info.name: info for info in tar}
        assert names["run/0/link"].issym() and names["run/0/link"].linkname == "/etc/passwd"
        assert tar.extractfile("run/1/out").read().decode() == f"of {jobs[1].id}"
        assert "run/0/deep/ä -x" in names and "run/0/pipe" not in names
        note = json.load(tar.extractfile(".balsam-archive.json"))
    assert [one["id"] for one in note["jobs"]] == [jobs[0].id, jobs[1].id]
    assert target.stat().st_mode & 0o777 == 0o600
    assert Path(site.path, "data", "run", "0", "out").exists(), "nothing was removed"


def test_what_has_not_ended_is_refused_and_the_rest_is_packed(jobs, tmp_path):
    target = tmp_path / "a.tar.gz"
    done = archive("--tag", "n=2", "--to", target, "--yes")
    assert done.returncode == 4 and "only jobs that have ended are packed" in done.stderr
    assert not target.exists()
    done = archive("--site", "theta", "--to", target, "--yes")
    assert done.returncode == 4 and f"{jobs[2].id}: it is" in done.stderr and "Packed 2 jobs" in done.stderr
    assert target.exists()


def test_nothing_is_done_without_a_yes(jobs, tmp_path):
    target = tmp_path / "a.tar.gz"
    done = archive("--state", "JOB_FINISHED", "--to", target, "--remove", "--dry-run").check()
    assert "2 jobs: 2 JOB_FINISHED" in done.stdout and "Nothing was packed" in done.stdout
    assert archive("--state", "JOB_FINISHED", "--to", target, "--remove").returncode == 2, "nobody answered"
    assert not target.exists()
    assert archive("--to", target, "--yes").returncode == 2, "which jobs?"
    assert archive(jobs[0].id, "--to", tmp_path / "a.zip", "--yes").returncode == 2
    assert archive(jobs[0].id, "--to", tmp_path / "no" / "a.tar.gz", "--yes").returncode == 2


def test_what_is_packed_is_removed_and_doing_it_again_goes_on(jobs, site, tmp_path):
    target, data = tmp_path / "a.tar.gz", Path(site.path, "data")
    archive(jobs[0].id, jobs[1].id, "--to", target, "--yes").check()
    content = target.read_bytes()
    (data / "run" / "0" / "out").unlink()  # as if it had been killed while it removed
    words = (jobs[0].id, jobs[1].id, "--to", target, "--remove", "--yes")
    archive(*words).check()
    assert not (data / "run" / "0").exists() and not (data / "run" / "1").exists()
    archive(*words).check()
    assert target.read_bytes() == content
    assert Path("/etc/passwd").exists()


def test_what_is_not_in_the_archive_is_never_removed(jobs, site, tmp_path):
    target, out = tmp_path / "a.tar.gz", Path(site.path, "data", "run", "0", "out")
    archive(jobs[0].id, "--to", target, "--yes").check()
    out.write_text("changed meanwhile")
    done = archive(jobs[0].id, "--to", target, "--remove", "--yes")
    assert done.returncode == 7 and "run/0/out" in done.stderr
    assert out.read_text() == "changed meanwhile"
    target.write_bytes(target.read_bytes()[:-20])
    done = archive(jobs[0].id, "--to", target, "--remove", "--yes")
    assert done.returncode == 7 and "is no whole archive" in done.stderr
    assert out.exists()


def test_directories_that_others_need_stay(jobs, site, tmp_path):
    app = App.objects.get(site_id=site.id, name="Hello")
    child = Job.objects.create("run/child", app.id, parent_ids=[jobs[0].id])
    Job.objects.create("run/1/below", app.id)
    done = archive(jobs[0].id, jobs[1].id, "--to", tmp_path / "a.tar.gz", "--remove", "--yes")
    assert done.returncode == 4
    assert (
        f"job {child.id}, its child, has not finished" in done.stderr
        and "works in run/1/below" in done.stderr
    )
    assert Path(site.path, "data", "run", "0", "out").exists()
    archive(jobs[0].id, jobs[1].id, "--to", tmp_path / "a.tar.gz", "--yes").check()


def test_a_link_in_place_of_a_directory_is_refused(jobs, site, tmp_path):
    path = Path(site.path, "data", "run", "0")
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    done = archive(jobs[0].id, "--to", tmp_path / "a.tar.gz", "--remove", "--yes")
    assert done.returncode == 4 and "a link leads to its directory" in done.stderr
    assert (tmp_path / "elsewhere" / "out").exists()
