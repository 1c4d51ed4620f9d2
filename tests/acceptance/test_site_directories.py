"""`balsam site init|ls|mv|rename|rm|sample-settings`, and launchers inside of a site."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from balsam.api import App, Job, Site
from tests.commands import Finished, run_balsam
from tests.sites import edit_settings

Balsam = Callable[..., Finished]


@pytest.fixture
def balsam(db: Path, tmp_path: Path) -> Balsam:
    env = {"BALSAM_DB_PATH": str(db), "BALSAM_HOME": str(tmp_path / "home"), "BALSAM_SITE_PATH": ""}

    def run(*args: object, input: str = "", cwd: Path = tmp_path) -> Finished:
        return run_balsam(*args, input=input, cwd=cwd, env=env)

    return run


@pytest.fixture
def site(balsam: Balsam, tmp_path: Path) -> Site:
    balsam("site", "init", "-n", "here", "-c", "local", "here").check()
    return Site.objects.get("here")


def test_site_has_its_files_and_its_record(site: Site, tmp_path: Path):
    path = tmp_path / "here"
    assert Path(site.path) == path and site.allowed_queues["local"]["max_nodes"] == 1
    modes = {entry.name: oct(entry.stat().st_mode & 0o777) for entry in path.iterdir()}
    assert (modes[".balsam-site"], modes["settings.yml"]) == ("0o440", "0o600")
    assert (modes["qsubmit"], modes["job-template.sh"]) == ("0o700", "0o700")
    assert {"log", "data", "apps"} < set(modes)
    assert json.loads((path / ".balsam-site").read_text())["site_id"] == site.id
    assert site.last_refresh is None, "it has no agent yet"


def test_menu_takes_a_number_or_a_name_and_ends_with_the_input(balsam: Balsam, tmp_path: Path):
    done = balsam("site", "init", "a", input="99\nthetagpu\nmine\n").check()
    assert "Select system" in done.stdout and "ThetaGPU at ALCF" in done.stdout
    assert yaml.safe_load((tmp_path / "a/settings.yml").read_text())["machine"] == "thetagpu"
    assert Path(Site.objects.get("mine").path) == tmp_path / "a"
    asked = balsam("site", "init", "-n", "b", "b", input="")
    assert asked.returncode == 2 and "nothing was done" in asked.stderr
    assert not (tmp_path / "b").exists() and Site.objects.filter(name="b").count() == 0
    balsam("site", "init", "-y", "-n", "c", "c").check()
    assert Path(Site.objects.get("c").path) == tmp_path / "c"


def test_what_cannot_be_made_leaves_nothing_behind(balsam: Balsam, site: Site, tmp_path: Path):
    init = ("site", "init", "-c", "local")
    assert balsam(*init, "-n", "x", "here").returncode == 2
    (tmp_path / "there").mkdir()
    assert balsam(*init, "-n", "x", "there").returncode == 2
    assert balsam(*init, "-n", "x", "no/where").returncode == 2
    assert balsam("site", "init", "-c", "thetagpuu", "-n", "x", "x").returncode == 2
    taken = balsam(*init, "-n", "here", "x")
    assert taken.returncode == 7 and "'here'" in taken.stderr
    assert not (tmp_path / "x").exists()
    assert [found.name for found in Site.objects.order_by("id")][1:] == ["here"]


def test_database_directory_becomes_a_site_with_its_files(balsam: Balsam, db: Path):
    before = set(db.iterdir())
    try:
        balsam("site", "init", "-c", "local", db).check()
        assert json.loads((db / ".balsam-site").read_text())["site_id"] == 1
        assert (db / "settings.yml").exists() and before <= set(db.iterdir())
        assert balsam("site", "init", "-c", "local", db).returncode == 2
        assert balsam("site", "rm", "-y", db).returncode == 4
    finally:
        for name in (".balsam-site", "settings.yml", "job-template.sh"):
            (db / name).unlink(missing_ok=True)


def test_site_is_listed(balsam: Balsam, site: Site):
    lines = balsam("site", "ls").check().stdout.splitlines()
    assert [cell.strip() for cell in lines[0].split("|")] == ["ID", "Name", "Path", "Active"]
    assert [cell.strip() for cell in lines[-1].split("|")][::3] == [str(site.id), "No"]
    assert yaml.safe_load(balsam("site", "ls", "-v").check().stdout.split("---")[1])["name"] == "here"
    rows = json.loads(balsam("site", "ls", "-o", "json").check().stdout)["rows"]
    assert [row["name"] for row in rows][-1] == "here"


def test_site_is_renamed_and_moved(balsam: Balsam, site: Site, tmp_path: Path):
    balsam("site", "rename", "here", "other").check()
    balsam("site", "mv", "here", "there").check()
    moved = Site.objects.get("other")
    assert Path(moved.path) == tmp_path / "there" and (tmp_path / "there/settings.yml").exists()
    assert not (tmp_path / "here").exists()
    (tmp_path / "here").mkdir()
    assert balsam("site", "mv", "there", "here").returncode == 2
    assert balsam("site", "mv", "here", "elsewhere").returncode == 2, "it is no site"


def test_site_is_deleted_with_its_jobs_after_a_question(balsam: Balsam, site: Site, tmp_path: Path):
    app = App.objects.create(site_id=site.id, name="A", command_template="true")
    Job.objects.create("w", app.id)
    asked = balsam("site", "rm", "here", input="n\n").check()
    assert "wipe out 1 jobs inside" in asked.stdout and Job.objects.count() == 1
    done = balsam("site", "rm", "here", input="y\n").check()
    assert f"Deleted site {tmp_path / 'here'}" in done.stdout
    assert not (tmp_path / "here").exists() and Job.objects.count() == 0
    assert Site.objects.filter(name="here").count() == 0


def test_force_deletes_a_site_whose_directory_is_gone(balsam: Balsam, site: Site, tmp_path: Path):
    (tmp_path / "here").rename(tmp_path / "gone")
    balsam("site", "rm", "--force", "here").check()
    assert Site.objects.filter(name="here").count() == 0 and (tmp_path / "gone").exists()
    assert balsam("site", "rm", "--force", "here").returncode == 3


def test_site_with_an_agent_stays_where_it_is(balsam: Balsam, site: Site, tmp_path: Path):
    path = tmp_path / "here"
    balsam("site", "start", cwd=path).check()
    try:
        assert balsam("site", "ls").check().stdout.splitlines()[-1].split()[-1] == "Yes"
        assert balsam("site", "rm", "-y", "here").returncode == 4
        assert balsam("site", "mv", "here", "there").returncode == 4
        assert path.exists()
    finally:
        balsam("site", "stop", cwd=path).check()
    assert balsam("site", "ls").check().stdout.splitlines()[-1].split()[-1] == "No"


def test_agent_with_wrong_settings_does_not_start(balsam: Balsam, site: Site, tmp_path: Path):
    settings = tmp_path / "here/settings.yml"
    settings.write_text(settings.read_text().replace("sync_period: 10", "sync_period: often"))
    done = balsam("site", "start", cwd=tmp_path / "here")
    assert done.returncode == 2 and "settings.yml, line" in done.stderr
    assert balsam("site", "start").returncode == 2, "it is not inside of a site"


def test_agent_with_an_impossible_transfer_location_does_not_start(
    balsam: Balsam, site: Site, tmp_path: Path
):
    edit_settings(tmp_path / "here", transfer_locations=("{}", "{far: 'rsink://theta'}"))
    done = balsam("site", "start", cwd=tmp_path / "here")
    assert done.returncode == 2
    assert "far" in done.stderr and "rsync" in done.stderr and "transfers.transfer_locations" in done.stderr


def test_sample_settings_are_those_of_the_machine(balsam: Balsam):
    sample = yaml.safe_load(balsam("site", "sample-settings", "-c", "polaris").check().stdout)
    assert sample["scheduler"]["scheduler_class"] == "pbs" and sample["elastic_queue"] is None


def test_launcher_inside_of_a_site_takes_its_jobs_with_the_tags(balsam: Balsam, site: Site, tmp_path: Path):
    path = tmp_path / "here"
    settings = path / "settings.yml"
    settings.write_text(settings.read_text().replace("idle_ttl_sec: 60", "idle_ttl_sec: 0"))
    first = App.objects.create(site_id=1, name="A", command_template="true")
    ours = App.objects.create(site_id=site.id, name="A", command_template="true")
    elsewhere = Job.objects.create("w1", first.id, tags={"x": "1"})
    wanted = Job.objects.create("w2", ours.id, tags={"x": "1"})
    other = Job.objects.create("w3", ours.id, tags={"x": "2"})
    done = balsam("launcher", "-j", "serial", "-t", "5", "--tag", "x=1", cwd=path).check()
    assert "1 job finished" in done.stdout
    balsam("launcher", "-j", "serial", "-t", "5", "--part", "serial:1:x=2", cwd=path).check()
    states = [Job.objects.get(job.id).state for job in (elsewhere, wanted, other)]
    assert states == ["PREPROCESSED", "JOB_FINISHED", "JOB_FINISHED"]
    assert sorted(path.glob("log/launcher*.log"))
