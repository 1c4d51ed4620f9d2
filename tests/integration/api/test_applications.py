"""Application classes: what their body refuses, what a site is told of them, and how their jobs run."""

import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from concurrent.futures import TimeoutError as FutureTimeoutError
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from balsam.api import App, ApplicationDefinition, AppParameter, EventLog, Job, Site
from balsam.api.file_apps import FileApp, sync_files
from balsam.exceptions import BalsamError, ConflictError, RefusedError, UsageError
from tests.launching import finish, launcher, run_launcher
from tests.waiting import wait_until

SITE = "here"


@pytest.fixture
def site(db: Path) -> Site:
    """The database directory, as a site of that name."""
    site = Site.objects.get(id=1)
    site.name = SITE
    site.save()
    return site


def run_script(tmp_path: Path, name: str, text: str) -> str:
    """Run a Python file as a user does, and return what it printed."""
    file = tmp_path / name
    file.write_text(textwrap.dedent(text))
    done = subprocess.run(
        [sys.executable, str(file)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def events(job: Job) -> list[tuple[str, str]]:
    """Moves of a job, in order."""
    found = EventLog.objects.filter(job_id=job.id).order_by("id")
    return [(event.from_state, event.to_state) for event in found if event.from_state != event.to_state]


# -- sync --------------------------------------------------------------------------------------------


def test_sync_creates_then_updates_the_same_application(site: Site, tmp_path: Path):
    hello = """
        from balsam.api import ApplicationDefinition

        class Hello(ApplicationDefinition):
            '''Say hello.'''
            site = "here"
            command_template = "echo Hello, {{ name }}!%s"
        Hello.sync()
        print(Hello.__app_id__)
    """
    number = int(run_script(tmp_path, "hello.py", hello % ""))
    app = App.objects.get(site_name=SITE, name="Hello")
    assert (app.id, app.version, app.description) == (number, 1, "Say hello.")
    assert app.parameters == {"name": {"required": True, "default": None, "help": ""}}
    assert app.source_code.startswith("class Hello") and app.serialized_class == "" and app.hooks == []
    assert int(run_script(tmp_path, "hello.py", hello % "")) == number
    assert App.objects.get(id=number).version == 1
    assert int(run_script(tmp_path, "hello.py", hello % " Bye.")) == number
    assert App.objects.get(id=number).version == 2


def test_class_with_code_has_the_same_version_until_its_code_changes(site: Site, tmp_path: Path):
    adder = """
        from balsam.api import ApplicationDefinition
        def add(a, b):
            return a + b%s

        class Adder(ApplicationDefinition):
            site = "here"
            def run(self, a: int, b: int = 2):
                return add(a, b)
        Adder.sync()
        Adder.sync()
    """
    run_script(tmp_path, "adder.py", adder % "")
    run_script(tmp_path, "adder.py", adder % "")
    app = App.objects.get(name="Adder")
    assert app.version == 1 and app.parameters["b"] == {"required": False, "default": "2", "help": "int"}
    run_script(tmp_path, "adder.py", adder % " + 0")
    assert App.objects.get(name="Adder").version == 2


def test_renamed_class_keeps_its_id_and_its_jobs(site: Site):
    class Old(ApplicationDefinition):
        site = SITE
        command_template = "echo old"

    class New(ApplicationDefinition):
        site = SITE
        command_template = "echo new"

    job = Old.submit("w")
    New.sync(rename_from="Old")
    New.sync(rename_from="Old")
    assert New.__app_id__ == Old.__app_id__ == Job.objects.get(id=job.id).app_id
    assert [app.name for app in App.objects.all()] == ["New"]
    with pytest.raises(App.DoesNotExist, match="Other"):
        Old.sync(rename_from="Other")


def test_submitting_by_name_reads_no_class(site: Site, monkeypatch: pytest.MonkeyPatch):
    class Adder(ApplicationDefinition):
        site = SITE

        def run(self, a):
            return a

    Adder.sync()

    def refuse(*_: object) -> None:
        raise AssertionError("a class was read")

    monkeypatch.setattr("pickle.loads", refuse)
    loaded = ApplicationDefinition.load_by_name("Adder", site_name=SITE)
    assert loaded.submit("w", a=1).app_id == Adder.__app_id__
    assert Job("w2", "Adder", site_name=SITE, parameters={"a": 2}).app.__name__ == "Adder"
    assert list(ApplicationDefinition.load_by_site(SITE)) == ["Adder"]
    assert [app.name for app in App.objects.all()] == ["Adder"] and len(Job.objects.all()) == 1
    with pytest.raises(BalsamError, match="loaded from its site"):
        loaded.sync()


def test_same_name_at_two_sites_needs_the_site(site: Site, tmp_path: Path):
    Site.objects.create(name="there", path=str(tmp_path))
    for place in (SITE, "there"):
        body = {"site": place, "command_template": f"echo {place}"}
        type("Hello", (ApplicationDefinition,), body).sync()
    with pytest.raises(App.MultipleObjectsReturned):
        Job("w", "Hello")
    job = Job("w", "Hello", site_name="there")
    job.save()
    assert Site.objects.get(id=job.site_id).name == "there"
    with pytest.raises(App.DoesNotExist):
        Job("w", "Nothing", site_name="there")


def test_command_line_of_a_job_is_its_template_filled_in(site: Site):
    class Hello(ApplicationDefinition):
        site = SITE
        environment_variables = {"A": "b"}
        command_template = "echo {{ name }} {{ end }} && echo $HOME"
        parameters = {"end": AppParameter(required=False, default="!")}

    app = Hello(Hello.submit("w", name="it's", threads_per_rank=3))
    assert app.get_arg_str() == """echo 'it'"'"'s' '!' && echo $HOME"""
    environ = app.get_environ_vars()
    assert (environ["A"], environ["OMP_NUM_THREADS"]) == ("b", "3")
    with pytest.raises(UsageError, match="needs the parameter name"):
        Hello.submit("w2")
    with pytest.raises(UsageError, match="takes no parameter nme"):
        Hello.submit("w2", nme="x")
    with pytest.raises(UsageError, match="texts and numbers"):
        Hello.submit("w2", name={"x"})


def test_many_jobs_are_made_in_few_statements(site: Site):
    class Many(ApplicationDefinition):
        site = SITE
        command_template = "true"

    Many.sync()
    with CaptureQueriesContext(connection) as few:
        Job.objects.bulk_create([Job(f"few{n}", Many) for n in range(2)])
    with CaptureQueriesContext(connection) as many:
        made = Job.objects.bulk_create([Job(f"many{n}", Many) for n in range(50)])
    assert len(many) == len(few)
    assert [job.workdir for job in made] == [f"many{n}" for n in range(50)] and made[0].last_update


# -- Python applications -----------------------------------------------------------------------------


class Refused(Exception):
    """An exception of this file."""

    def __init__(self, code: int) -> None:
        super().__init__(f"code {code}")
        self.code = code

    def __reduce__(self) -> "tuple[Callable[..., Refused], tuple[int]]":
        return Refused, (self.code,)


@pytest.mark.parametrize("mode", ["serial", "mpi"])
def test_python_application_returns_values_and_raises_exceptions(site: Site, mode: str):
    class Adder(ApplicationDefinition):
        site = SITE

        def run(self, a, b=1):
            if a == "refuse":
                raise Refused(b)
            print("job", self.job.id)
            return a + b

    jobs = [
        Adder.submit("ints", a=1),
        Adder.submit("tuples", a=(1, {2}), b=(b"\0",)),
        Adder.submit("texts", a="x" * 300_000, b="\0"),
        Adder.submit("type", a=1, b="x"),
        Adder.submit("own", a="refuse", b=7),
    ]
    assert jobs[0].parameters == {"a": 1} and jobs[1].get_parameters()["a"] == (1, {2})
    with pytest.raises(Job.NoResult, match="PREPROCESSED"):
        jobs[0].result_nowait()
    with pytest.raises(FutureTimeoutError):
        jobs[0].result(timeout=0)
    run_launcher(mode=mode)
    assert [job.result(timeout=10) for job in jobs[:3]] == [2, (1, {2}, b"\0"), "x" * 300_000 + "\0"]
    with pytest.raises(TypeError, match="unsupported operand") as raised:
        jobs[3].result()
    assert "return a + b" in str(raised.value.__cause__)
    with pytest.raises(Exception, match="code 7"):
        jobs[4].result_nowait()
    data = Path(site.path) / "data"
    assert (data / "ints" / "job.out").read_text() == f"job {jobs[0].id}\n"
    assert "return a + b" in (data / "type" / "job.out").read_text()


def test_every_rank_runs_and_the_first_one_answers(site: Site):
    class Rank(ApplicationDefinition):
        site = SITE

        def run(self):
            from mpi4py import MPI

            return MPI.COMM_WORLD.gather(MPI.COMM_WORLD.Get_rank())

    class Plain(ApplicationDefinition):
        site = SITE

        def run(self):
            import os

            print("ran\n", end="", flush=True)  # in one piece, also where nothing is buffered
            return os.environ["PMI_RANK"]

    jobs = [Rank.submit("rank", ranks_per_node=3), Plain.submit("plain", ranks_per_node=2)]
    run_launcher(mode="mpi")
    assert jobs[0].result() == [0, 1, 2] and jobs[1].result() == "0"
    assert (Path(site.path) / "data/plain/job.out").read_text() == "ran\nran\n"


def test_result_too_large_for_its_column_is_an_error_that_says_so(site: Site):
    class Large(ApplicationDefinition):
        site = SITE

        def run(self):
            import random

            return random.randbytes(600_000)

    job = Large.submit("w")
    run_launcher()
    with pytest.raises(UsageError, match="What run returned"):
        job.result()
    with pytest.raises(UsageError, match="The parameters"):
        Large.submit("w2", x=__import__("random").randbytes(600_000))


def test_command_has_no_result(site: Site):
    class Fails(ApplicationDefinition):
        site = SITE
        command_template = "exit {{ code }}"

    jobs = [Fails.submit(f"w{code}", code=code) for code in (0, 3)]
    run_launcher()
    for job in jobs:
        with pytest.raises(Job.NoResult):
            job.result()


# -- hooks -------------------------------------------------------------------------------------------


def test_hooks_run_in_the_working_directory_and_change_the_job(site: Site):
    class Chain(ApplicationDefinition):
        site = SITE
        command_template = "cat input; echo $GREETING; test -e again"

        def preprocess(self):
            print("preparing", self.job.id)
            Path("input").write_text("in\n")
            self.job.data["prepared"] = True
            self.job.state = "PREPROCESSED"

        def shell_preamble(self):
            return ["export GREETING=hello", "echo before"]

        def handle_error(self):
            Path("again").touch()
            self.job.tags = {**self.job.tags, "try": "2"}
            self.job.state = "RESTART_READY"
            self.job.state_data = {"message": "once more", "why": "again was missing"}

        def postprocess(self):
            self.job.data["done"] = Path("job.out").read_text()

    job = Chain.submit("chain", tags={"k": "v"})
    assert job.state == "STAGED_IN"
    run_launcher()
    job.refresh_from_db()
    assert job.state == "JOB_FINISHED" and job.tags == {"k": "v", "try": "2"}
    assert job.data["prepared"] is True and job.data["done"].endswith("before\nin\nhello\n")
    assert [to_state for _, to_state in events(job)] == [
        *("STAGED_IN", "PREPROCESSED", "RUNNING", "RUN_ERROR", "RESTART_READY", "RUNNING", "RUN_DONE"),
        *("POSTPROCESSED", "JOB_FINISHED"),
    ]
    restart = EventLog.objects.get(job_id=job.id, to_state="RESTART_READY")
    assert restart.data == {"message": "once more", "why": "again was missing"}
    log = (Path(site.path) / "data/chain/balsam.log").read_text()
    assert log.startswith(f"#BALSAM Running preprocess for Job {job.id}\npreparing {job.id}\n")
    assert f"#BALSAM Running postprocess for Job {job.id}\n" in log


@pytest.mark.parametrize("method", ["preprocess", "postprocess"])
def test_hook_that_raises_fails_the_job_with_its_exception(site: Site, method: str):
    def raises(self: Any) -> None:
        raise ValueError("no such input")

    body = {"site": SITE, "command_template": "true", method: raises}
    job = type("Raises", (ApplicationDefinition,), body).submit("w")
    run_launcher()
    job.refresh_from_db()
    assert job.state == "FAILED"
    failed = EventLog.objects.get(job_id=job.id, to_state="FAILED")
    assert failed.data["exception"] == "ValueError: no such input" and method in failed.data["message"]
    assert "no such input" in (Path(site.path) / "data/w/balsam.log").read_text()


@pytest.mark.parametrize("answer", [None, "JOB_FINISHED"])
def test_timeout_is_handled_by_the_class(site: Site, answer: str | None):
    class Slow(ApplicationDefinition):
        site = SITE
        command_template = "test -e started || { touch started; exec sleep 600; }"

        def handle_timeout(self):
            self.job.data["handled"] = self.job.state
            if answer:
                self.job.state = answer

    job = Slow.submit(f"slow/{answer}")
    with launcher() as running:
        wait_until(lambda: (Path(site.path) / "data" / job.workdir / "started").exists())
        running.send_signal(signal.SIGTERM)
        finish(running)
    run_launcher()
    job.refresh_from_db()
    assert (job.state, job.data) == ("JOB_FINISHED", {"handled": "RUN_TIMEOUT"})
    assert ("RUN_TIMEOUT", answer or "RESTART_READY") in events(job)


def test_hooks_that_say_nothing_take_the_usual_way(site: Site):
    class Silent(ApplicationDefinition):
        site = SITE
        command_template = "exit {{ code }}"

        def preprocess(self):
            pass

        def postprocess(self):
            pass

        def handle_error(self):
            pass

    jobs = [Silent.submit(f"w{code}", code=code) for code in (0, 3)]
    run_launcher()
    Job.objects.bulk_refresh(jobs)
    assert [job.state for job in jobs] == ["JOB_FINISHED", "FAILED"]


def test_multi_line_preamble_runs_once_before_all_ranks(site: Site):
    class Lines(ApplicationDefinition):
        site = SITE
        command_template = "echo $WORD"

        def shell_preamble(self):
            return "echo once\nif true; then\n  export WORD=rank\nfi\n"

    Lines.submit("w", ranks_per_node=2)
    run_launcher(mode="mpi")
    assert (Path(site.path) / "data/w/job.out").read_text() == "once\nrank\nrank\n"


def test_handler_that_comes_later_counts_for_jobs_that_wait(site: Site):
    def app(**body: Any) -> type[ApplicationDefinition]:
        body = {"site": SITE, "command_template": "test -e ok", **body}
        return type("Later", (ApplicationDefinition,), body)

    def mend(self: Any) -> None:
        Path("ok").touch()
        self.job.state = "RESTART_READY"

    job = app().submit("w")
    app(handle_error=mend).sync()
    run_launcher()
    job.refresh_from_db()
    assert job.state == "JOB_FINISHED"


# -- files of a site ---------------------------------------------------------------------------------


@pytest.fixture
def apps(site: Site) -> Iterator[Path]:
    """The directory of a site's files, empty."""
    path = Path(site.path) / "apps"
    path.mkdir(exist_ok=True)  # a test before may have made the directory a site
    yield path
    shutil.rmtree(path)


def test_class_in_a_file_of_the_site_is_read_where_its_jobs_run(site: Site, apps: Path):
    (apps / "test.py").write_text(
        "from balsam.site import ApplicationDefinition\n"
        "class Hello(ApplicationDefinition):\n"
        "    command_template = 'echo hello {{ name }}'\n"
        "    parameters = {}\n"
        "    def postprocess(self):\n"
        "        self.job.data = {'by': 'file'}\n"
    )
    (synced,) = sync_files(site)
    app = App.objects.get(site_id=site.id, class_path="test.Hello")
    assert synced == FileApp("test.Hello", app.id, "CREATED")
    assert app.serialized_class == "" and app.hooks == ["postprocess"]
    job = Job("w", "test.Hello", parameters={"name": "x"})
    job.save()
    run_launcher()
    job.refresh_from_db()
    assert (job.state, job.data) == ("JOB_FINISHED", {"by": "file"})
    assert (Path(site.path) / "data/w/job.out").read_text() == "hello x\n"


def test_files_of_a_site_are_synced_again_when_they_change(site: Site, apps: Path):
    one = "from balsam.site import ApplicationDefinition as A\nclass One(A): command_template = '%s'\n"
    (apps / "a.py").write_text(one % "true")
    (apps / "b.py").write_text("from balsam.site import ApplicationDefinition\nfrom pathlib import Path\n")
    assert [app.change for app in sync_files(site)] == ["CREATED"]
    assert [app.change for app in sync_files(site)] == ["UP-TO-DATE"]
    for same_length in ("tru1", "tru2"):
        (apps / "a.py").write_text(one % same_length)
        assert [app.change for app in sync_files(site)] == ["UPDATED"]
    assert App.objects.get(class_path="a.One").source_code.endswith("'tru2'\n")
    (apps / "a.py").rename(apps / "c.txt")
    assert [app.change for app in sync_files(site)] == ["MISSING"]
    (apps / "b.py").write_text("import nothing_of_that_name")
    with pytest.raises(BalsamError, match=r"b\.py cannot be imported: ModuleNotFoundError"):
        sync_files(site)


def test_second_application_of_a_name_is_refused(site: Site):
    App.objects.create(site_id=site.id, name="Hello", command_template="echo")
    with pytest.raises(ConflictError, match="'Hello'"):
        App.objects.create(site_id=site.id, name="Hello", command_template="echo")
    other = App.objects.create(site_id=site.id, name="Other", command_template="echo")
    other.name = "Hello"
    with pytest.raises(RefusedError, match="'Hello'"):
        other.save()


def test_running_launcher_and_agent_take_over_a_new_version(site: Site, tmp_path: Path):
    def write(word: str) -> None:
        run_script(
            tmp_path,
            "app.py",
            f"""
            from balsam.api import ApplicationDefinition

            class Told(ApplicationDefinition):
                site = "here"

                def preprocess(self):
                    self.job.data = {{"by": "{word}"}}

                def run(self):
                    return "{word}"
            Told.sync()
            """,
        )

    def outcome(workdir: str) -> tuple[str, str]:
        job = Job.objects.create(workdir, "Told")
        told: str = job.result(timeout=60)
        return job.data["by"], told

    write("first")
    with launcher("--persistent"):
        assert outcome("w/1") == ("first", "first")
        write("second")
        assert outcome("w/2") == ("second", "second")
        assert App.objects.get(name="Told").version == 2
