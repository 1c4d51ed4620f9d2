"""The way of one job through staging, hooks, errors and handlers, as the launcher command takes it."""

from pathlib import Path

import pytest

from balsam.core.models import BalsamJob
from tests.jobs import add_app, add_job, history
from tests.launching import dag_script, lines, run_launcher, script

pytestmark = pytest.mark.usefixtures("db")

SQUARE = '#!/bin/sh\nn=$(cat "$1") || exit 1\necho "the square of $n"\necho $((n * n)) > square.dat\n'


def test_job_goes_from_stage_in_through_its_hooks_to_stage_out(tmp_path: Path) -> None:
    """T1: stage-in, a preprocess that edits the job's args, the app, a postprocess, stage-out."""
    source, results = tmp_path / "in", tmp_path / "results"
    source.mkdir()
    results.mkdir()
    (source / "side0.dat").write_text("7\n")
    add_app(
        "square",
        str(script(tmp_path, "square", SQUARE)),
        preprocess=str(
            dag_script(tmp_path, "pre.py", "print(job.job_id)\njob.args += 'side0.dat'\njob.save()\n")
        ),
        postprocess=str(
            dag_script(
                tmp_path,
                "post.py",
                "print(job.job_id)\njob.data['out'] = job.read_file_in_workdir('square.dat')\njob.save()\n",
            )
        ),
    )
    job = add_job(
        application="square",
        name="square",
        workflow="test",
        stage_in_url=f"local:{source}/*",
        stage_out_url=f"local:{results}",
        stage_out_files="square*",
    )
    done = run_launcher().check()
    job.refresh_from_db()
    assert job.state == "JOB_FINISHED" and "1 job finished" in done.stdout
    assert job.data == {"out": "49\n"}
    assert {path.name: path.read_text() for path in results.iterdir()} == {
        "square.dat": "49\n",
        "square.out": "the square of 7\n",
    }
    for log in ("preprocess.log", "postprocess.log"):
        assert lines(Path(job.working_directory, log))[1:] == [str(job.job_id)]
    assert history(job)[2:] == [
        *("STAGED_IN", "PREPROCESSED", "RUNNING", "RUN_DONE", "POSTPROCESSED", "JOB_FINISHED"),
    ]  # fmt: skip


def test_job_that_fails_without_a_handler_keeps_its_output(tmp_path: Path) -> None:
    """T2: a nonzero exit fails the job; what it wrote is still there, and no hook has run."""
    add_app(
        "bad",
        str(script(tmp_path, "bad", "#!/bin/sh\necho half > result.dat\necho cannot go on\nexit 7\n")),
        postprocess=str(script(tmp_path, "post", "#!/bin/sh\ntouch ran\n")),
    )
    job = add_job(application="bad", name="bad", workflow="test")
    assert run_launcher().returncode == 1
    job.refresh_from_db()
    assert history(job)[-3:] == ["RUNNING", "RUN_ERROR", "FAILED"]
    assert "exit code 7\ncannot go on" in job.state_history
    workdir = Path(job.working_directory)
    assert (workdir / "result.dat").read_text() == "half\n"
    assert (workdir / "bad.out").read_text() == "cannot go on\n"
    assert not (workdir / "ran").exists()


def test_error_handler_saves_the_job(tmp_path: Path) -> None:
    """T3: RUN_ERROR is in the history, then what the handler says; its log notes what it handles."""
    text = (
        "print('error', dag.ERROR, 'timeout', dag.TIMEOUT)\n"
        "job.update_state('JOB_FINISHED', 'handled the error; it is fine')\n"
    )
    add_app("bad", "/bin/false", postprocess=str(dag_script(tmp_path, "post.py", text)))
    job = add_job(application="bad", name="bad", workflow="test", post_error_handler=True)
    done = run_launcher().check()
    assert "1 job finished, 0 failed" in done.stdout
    assert history(job)[-3:] == ["RUNNING", "RUN_ERROR", "JOB_FINISHED"]
    assert "handled the error; it is fine" in job.state_history
    assert lines(Path(job.working_directory, "postprocess.log"))[1:] == [
        "# handling the state RUN_ERROR",
        "error True timeout False",
    ]


def test_handler_that_fails_the_job_fails_the_launcher(tmp_path: Path) -> None:
    text = "job.update_state('FAILED', 'the input is broken')\n"
    add_app("bad", "/bin/false", postprocess=str(dag_script(tmp_path, "post.py", text)))
    add_job(application="bad", name="bad", post_error_handler=True)
    done = run_launcher()
    assert done.returncode == 1 and "0 jobs finished, 1 failed" in done.stdout


def test_restarted_job_does_not_run_beside_its_handler(tmp_path: Path) -> None:
    """T3: a handler that sets RESTART_READY may go on working; the job starts again when it has ended."""
    notes = tmp_path / "notes"
    app = f"#!/bin/sh\necho start >> {notes}\n[ $(grep -c start {notes}) -gt 1 ]\n"
    text = (
        "import time\n"
        "if dag.ERROR:\n"
        "    job.update_state('RESTART_READY', 'once more')\n"
        "    time.sleep(0.5)\n"
        f"    open({str(notes)!r}, 'a').write('handled\\n')\n"
    )
    add_app(
        "twice", str(script(tmp_path, "twice", app)), postprocess=str(dag_script(tmp_path, "post.py", text))
    )
    job = add_job(application="twice", name="twice", post_error_handler=True)
    run_launcher().check()
    assert lines(notes) == ["start", "handled", "start"]
    assert BalsamJob.objects.get(pk=job.pk).attempt == 2
