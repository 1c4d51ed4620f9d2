"""`balsam app create` and `balsam app sync`: applications in the files of a site."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from balsam.api import App, Job
from tests.commands import run_balsam
from tests.launching import run_launcher


@pytest.fixture
def apps(db: Path) -> Iterator[Path]:
    """The directory of the files, not made yet."""
    yield db / "apps"
    shutil.rmtree(db / "apps", ignore_errors=True)


def test_created_application_runs_its_jobs(db: Path, apps: Path):
    answers = "test.Hello\necho hello {{ name }} && sleep {{ sleeptime }} && echo goodbye\n"
    made = run_balsam("app", "create", input=answers).check()
    assert "Application Name (of the form MODULE.CLASS)" in made.stdout
    assert f"Created App Hello in {apps / 'test.py'}" in made.stdout
    assert set(App.objects.get(class_path="test.Hello").parameters) == {"name", "sleeptime"}
    job = Job("test/1", "test.Hello", parameters={"name": "it's me", "sleeptime": "0"})
    job.save()
    run_launcher().check()
    assert (db / "data/test/1/job.out").read_text() == "hello it's me\ngoodbye\n"
    again = run_balsam("app", "create", "-n", "test.Other", "-c", "true")
    assert again.returncode == 7 and "test.py is there already" in again.stderr


@pytest.mark.parametrize("name", ["Hello", "a.b.C", "1.C", "../x.C"])
def test_name_that_is_no_module_and_class_is_refused(apps: Path, name: str):
    done = run_balsam("app", "create", "-n", name, "-c", "true")
    assert done.returncode == 2 and "MODULE.CLASS" in done.stderr and not apps.exists()


def test_sync_says_what_has_changed_and_asks_before_it_deletes(apps: Path):
    run_balsam("app", "create", "-n", "a.One", "-c", "true").check()
    number = App.objects.get(name="One").id
    assert run_balsam("app", "sync").check().stdout == f"UP-TO-DATE   a.One (app_id={number})\n"
    file = apps / "a.py"
    file.write_text(file.read_text().replace("'true'", "'false'"))
    assert run_balsam("app", "sync").check().stdout == f"UPDATED      a.One (app_id={number})\n"
    file.unlink()
    assert "no file defines it" in run_balsam("app", "sync", input="n\n").output
    assert App.objects.count() == 1
    run_balsam("app", "sync", "--yes").check()
    assert App.objects.count() == 0
