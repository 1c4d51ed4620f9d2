"""Jobs of applications as classes, in the real launcher: what they get, and how their ends are told."""

import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from balsam.api import ApplicationDefinition, EventLog, Job, Site
from tests.launching import finish, launcher, lines, run_launcher
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("db")
SITE = "here"


@pytest.fixture(autouse=True)
def data(db: Path) -> Path:
    """The directory of the jobs' working directories, which is not there yet."""
    shutil.rmtree(db / "data", ignore_errors=True)
    site = Site.objects.get(id=1)
    site.name = SITE
    site.save()
    return db / "data"


def template(text: str, **body: Any) -> type[ApplicationDefinition]:
    return type("Template", (ApplicationDefinition,), {"site": SITE, "command_template": text, **body})


def python(run: Callable[..., Any], **body: Any) -> type[ApplicationDefinition]:
    body = {"site": SITE, "run": run, "__module__": run.__module__, **body}
    return type("Python", (ApplicationDefinition,), body)


def states(*jobs: Job) -> list[str]:
    Job.objects.bulk_refresh(list(jobs))
    return [job.state for job in jobs]


def reason(job: Job, state: str) -> dict[str, Any]:
    """What the history says of the state that a job entered."""
    return EventLog.objects.get(job_id=job.id, to_state=state).data


@pytest.mark.parametrize("mode", ["serial", "mpi"])
def test_job_has_its_environment_its_directory_and_its_output(data: Path, mode: str) -> None:
    hello = template(
        "echo Hello $WHO $OMP_NUM_THREADS $BALSAM_JOB_ID; pwd", environment_variables={"WHO": "x"}
    )
    job = hello.submit("a/hello", threads_per_rank=2, node_packing_count=2)
    run_launcher(mode=mode).check()
    assert states(job) == ["JOB_FINISHED"] and job.return_code == 0
    first, workdir = lines(data / "a/hello/job.out")
    assert first.startswith("Hello x 2 ") and len(first.split()) == 4
    assert Path(workdir) == data / "a/hello"


def test_template_is_one_script_inside_the_ranks_and_its_status_is_kept(data: Path) -> None:
    both = template("echo first-$PMI_RANK && echo second-$PMI_RANK").submit("both", ranks_per_node=2)
    run_launcher(mode="mpi")
    assert states(both) == ["JOB_FINISHED"]
    assert sorted(lines(data / "both/job.out")) == ["first-0", "first-1", "second-0", "second-1"]
    ends = {
        "false; true": 0,
        "true; exit 5": 5,
        "false && true": 1,
        "exit 4 | cat": 4,
        "(exit 6) || exit 7": 7,
    }
    jobs = []
    for number, text in enumerate(ends):
        app = type(f"End{number}", (ApplicationDefinition,), {"site": SITE, "command_template": text})
        jobs.append(app.submit(f"end{number}", node_packing_count=8))
    for mode in ("mpi", "serial"):
        run_launcher(mode=mode)
        assert states(*jobs) == ["FAILED" if code else "JOB_FINISHED" for code in ends.values()]
        assert [job.return_code for job in jobs] == list(ends.values())
        jobs = [Job(f"{job.workdir}s", job.app_id) for job in jobs]
        Job.objects.bulk_create(jobs)
        jobs = list(Job.objects.filter(workdir__contains="s", state="PREPROCESSED").order_by("id"))


def test_failed_job_has_the_end_of_its_output_and_its_code() -> None:
    def run(self: Any) -> None:
        import sys

        print(*range(30), sep="\n")
        sys.exit(9)

    jobs = [template("seq 30; exit 9").submit("t"), python(run).submit("p")]
    run_launcher()
    assert states(*jobs) == ["FAILED", "FAILED"] and [job.return_code for job in jobs] == [9, 9]
    for job in jobs:
        text = json.dumps(reason(job, "RUN_ERROR"))
        assert "exit code 9" in text and "29" in text and "12" not in text


def hold(self: Any) -> None:
    import time
    from pathlib import Path

    Path("started").touch()
    time.sleep(600)


def test_end_of_the_time_ends_python_jobs_as_timeouts(data: Path) -> None:
    job = python(hold).submit("a", wall_time_min=0)
    run_launcher("--time-limit-minutes=0.4")
    assert (data / "a/started").exists()
    assert states(job) == ["RESTART_READY"]
    assert ("RUNNING", "RUN_TIMEOUT") in [
        (event.from_state, event.to_state) for event in EventLog.objects.filter(job_id=job.id)
    ]


def test_sigterm_loses_no_result_and_ends_what_runs(data: Path) -> None:
    def run(self: Any, number: int) -> int:
        import time
        from pathlib import Path

        Path("started").touch()
        if number == 3:
            time.sleep(600)
        return number

    app = python(run)
    jobs = [app.submit(f"{number}", number=number, node_packing_count=8) for number in range(4)]
    with launcher() as running:
        wait_until(lambda: len(list(data.glob("*/started"))) == 4)
        running.send_signal(signal.SIGTERM)
        assert finish(running).returncode == 0
    ended = [job for job in jobs if states(job) == ["JOB_FINISHED"]]
    assert [job.result_nowait() for job in ended] == [job.parameters["number"] for job in ended]
    assert states(jobs[3]) == ["RESTART_READY"]
    assert "SIGTERM" in json.dumps(reason(jobs[3], "RUN_TIMEOUT"))


def test_restarted_job_keeps_the_output_it_had(data: Path) -> None:
    def run(self: Any) -> int:
        from pathlib import Path

        print("attempt", Path("again").exists())
        if not Path("again").exists():
            Path("again").touch()
            raise ValueError("once")
        return 1

    def handle_error(self: Any) -> None:
        self.job.state = "RESTART_READY"

    job = python(run, handle_error=handle_error).submit("a")
    run_launcher()
    assert job.result() == 1 and job.serialized_exception == "", "of the attempt that counts"
    assert lines(data / "a/job.out") == ["attempt True"]
    assert lines(data / "a/job.out.1")[0] == "attempt False"


def test_directory_that_cannot_be_made_fails_its_job_alone(data: Path) -> None:
    data.mkdir(exist_ok=True)
    (data / "file").touch()
    bad = [template("true").submit("file/a"), python(lambda self: 1).submit("file/b")]
    good = python(lambda self: 1).submit("made/on/the/way")
    run_launcher()
    assert states(*bad) == ["FAILED", "FAILED"] and good.result() == 1
    for job in bad:
        assert "Cannot use the working directory" in json.dumps(reason(job, "FAILED"))
    (data / "file").unlink()


@pytest.mark.parametrize("mode", ["serial", "mpi"])
def test_payload_may_be_larger_than_a_command_line(data: Path, mode: str) -> None:
    text = "x" * 300_000
    shell = template("echo {{ text }} | wc -c; exit 3").submit("shell", text=text)
    called = python(lambda self, text: text[::-1]).submit("python", text=text + "y")
    run_launcher(mode=mode)
    assert states(shell) == ["FAILED"] and shell.return_code == 3
    assert lines(data / "shell/job.out") == ["300001"]
    assert called.result() == "y" + text


def test_python_method_reads_and_saves_its_job() -> None:
    def run(self: Any, number: int) -> str:
        self.job.data["seen"] = {"number": number, "state": self.job.state}
        self.job.tags = {"by": "run"}
        self.job.save()
        (parent,) = self.job.parent_query()
        return str(parent.result_nowait())

    first = python(lambda self: "first").submit("a")
    second = type("Second", (ApplicationDefinition,), {"site": SITE, "run": run}).submit(
        "b", number=2, data={"kept": 1}, parent_ids=[first.id]
    )
    run_launcher()
    assert second.result() == "first"
    assert second.data == {"kept": 1, "seen": {"number": 2, "state": "RUNNING"}}
    assert second.tags == {"by": "run"}


def test_synced_version_is_run_by_a_launcher_that_runs_already() -> None:
    def app(value: int) -> type[ApplicationDefinition]:
        return python(eval(f"lambda self: {value}"))

    with launcher("--persistent") as running:
        for value in (1, 2):
            assert app(value).submit(f"v{value}").result(timeout=60) == value
        running.send_signal(signal.SIGTERM)
        finish(running)


def test_no_rank_of_a_python_job_asks_the_database_for_anything(data: Path) -> None:
    def run(self: Any) -> list[str]:
        import sys

        return sorted(name for name in sys.modules if name.partition(".")[0] in ("django", "psycopg2"))

    app = python(run)
    jobs = [app.submit("one"), app.submit("two", ranks_per_node=2)]
    run_launcher(mode="mpi")
    assert [job.result() for job in jobs] == [[], []]
    assert not list(data.glob("*/.balsam/*"))
