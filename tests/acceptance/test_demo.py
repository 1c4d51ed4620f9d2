"""`balsam demo` as a user meets it: in a new directory, again, and where it must not touch anything."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands import Finished, run_balsam

#: What is on PATH besides the environment of the tests.
SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"


class Place:
    """A directory to run demos in, with a home of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.environ = {"HOME": str(directory / "home"), "BALSAM_DB_PATH": ""}
        (directory / "home").mkdir()

    def demo(self, *args: object, **environ: str) -> Finished:
        return run_balsam("demo", *args, cwd=self.directory, env={**self.environ, **environ})

    def balsam(self, *args: object, db: str, **environ: str) -> Finished:
        environ = {**self.environ, **environ, "BALSAM_DB_PATH": str(self.directory / db)}
        return run_balsam(*args, cwd=self.directory, env=environ)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path)
    yield place
    for server_info in tmp_path.glob("*/server-info"):
        place.balsam("server", "--stop", db=server_info.parent.name)


def test_demo_squares_ten_numbers_and_leaves_a_database(place: Place):
    done = place.demo().check()
    assert "All 10 jobs have finished, and each y is the square of its x." in done.stdout
    for line in ("$ balsam init balsam-demo", "$ balsam launcher --consume-all --job-mode=serial"):
        assert line in done.stdout.splitlines()
    place.balsam("server", "--status", db="balsam-demo").check()
    listing = place.balsam("ls", db="balsam-demo", BALSAM_LS_FIELDS="data").check().stdout
    assert listing.count("JOB_FINISHED") == 10
    assert "{'x': 9, 'y': 81}" in listing


def test_demo_can_be_run_again_with_its_application_changed(place: Place):
    place.demo("here", "--jobs", 2).check()
    app = place.directory / "here" / "app.py"
    app.write_text(app.read_text().replace("print(", "print('mine:', "))
    again = place.demo("here", "--jobs", 3).check()
    assert "mine: Created 3 jobs" in again.stdout
    assert "All 5 jobs have finished" in again.stdout


def test_directory_of_somebody_else_is_not_touched(place: Place):
    (place.directory / "mine").mkdir()
    (place.directory / "mine" / "app.py").write_text("precious")
    refused = place.demo("mine")
    assert refused.returncode == 7
    assert "was not made by `balsam demo`" in refused.stderr
    assert [path.name for path in (place.directory / "mine").iterdir()] == ["app.py"]
    (place.directory / "file").touch()
    assert place.demo("file").returncode == 2
    assert place.demo("no/such/parent").returncode == 2


def test_active_database_is_left_alone(place: Place):
    place.balsam("init", "other", db="other").check()
    place.demo("--jobs", 1, BALSAM_DB_PATH=str(place.directory / "other")).check()
    place.balsam("server", "--connect", db="other").check()
    assert "No jobs" in place.balsam("ls", db="other").check().stdout


def test_demo_works_where_the_environment_is_not_on_path(place: Place):
    done = place.demo("--jobs", 1, PATH=SYSTEM_PATH).check()
    lines = [line.strip() for line in done.stdout.splitlines()]
    typed = lines[lines.index("The database is left running. To go on with it, type:") + 2 :]
    assert str(Path(sys.executable).parent) in typed[0]
    environ = {**os.environ, **place.environ, "PATH": SYSTEM_PATH}
    script = "\n".join(["set -e", *typed]).replace(" 100 && ", " 2 && ")
    gone_on = subprocess.run(
        ["bash", "-c", script],
        cwd=place.directory,
        env=environ,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert gone_on.returncode == 0, gone_on.stdout + gone_on.stderr
    assert "JOB_FINISHED  3" in gone_on.stdout


def test_application_that_fails_is_told(place: Place):
    place.demo("--jobs", 1).check()
    app = place.directory / "balsam-demo" / "app.py"
    app.write_text(app.read_text().replace("y = x**2", "y = x / 0"))
    failed = place.demo("--jobs", 1)
    assert failed.returncode == 1
    assert "the demo stops here" in failed.stderr
    assert "Traceback" not in failed.stderr
