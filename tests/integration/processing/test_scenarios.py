"""Whole ways through the states, as a user's scripts take them; a stand-in takes the launcher's part."""

import sys
from pathlib import Path

from balsam.core.models import BalsamJob
from balsam.states import JobState as S
from tests.launching import script
from tests.waiting import wait_until

HEAD = f"""#!{sys.executable}
import os
from balsam.core.models import BalsamJob
job = BalsamJob.objects.get(pk=os.environ["BALSAM_JOB_ID"])
print("job", job.job_id)
"""
HANDLE_ERROR = """
if os.environ.get("BALSAM_JOB_ERROR") == "TRUE":
    job.update_state("JOB_FINISHED", "handled the error; it is fine")
"""
HANDLE_TIMEOUT = """
if os.environ.get("BALSAM_JOB_TIMEOUT") == "TRUE":
    job.update_state("JOB_FINISHED", "handled the timeout")
"""


def wait_for_state(job: BalsamJob, state: S) -> BalsamJob:
    def is_there() -> bool:
        job.refresh_from_db()
        return job.state == state

    wait_until(is_there, what=f"{job.cute_id} to become {state}")
    return job


def test_staging_and_both_hooks_take_a_job_from_start_to_end(
    tmp_path, start_processor, add_app, add_job, launcher
):
    """T1."""
    source, results = tmp_path / "in", tmp_path / "results"
    source.mkdir()
    results.mkdir()
    (source / "side0.dat").write_text("7")
    pre = script(tmp_path, "pre.py", HEAD + "job.args += ' side0.dat'\njob.save()\n")
    post = script(tmp_path, "post.py", HEAD + "open('square.dat', 'w').write('49')\n")
    add_app(preprocess=str(pre), postprocess=str(post))
    job = add_job(
        "square",
        args="--first",
        stage_in_url=f"local:{source}/*",
        stage_out_url=f"local:{results}",
        stage_out_files="square*",
    )
    processor = start_processor()
    workdir = Path(job.working_directory)

    wait_for_state(job, S.PREPROCESSED)
    assert job.args == "--first side0.dat"
    assert (workdir / "side0.dat").read_text() == "7"
    (workdir / "square.out").write_text("the output")

    (spec,) = launcher.run_all()
    assert spec.command == "/bin/true --first side0.dat"
    processor.wake()
    wait_for_state(job, S.JOB_FINISHED)
    assert sorted(path.name for path in results.iterdir()) == ["square.dat", "square.out"]
    for log in ("preprocess.log", "postprocess.log"):
        assert f"job {job.job_id}" in (workdir / log).read_text().splitlines()[1]
    assert {"STAGED_IN", "PREPROCESSED", "POSTPROCESSED"} <= set(job.get_state_times())


def test_an_error_without_a_handler_fails_the_job_and_keeps_its_files(add_app, add_job, launcher):
    """T2."""
    add_app(postprocess="true")
    job = add_job()
    output = Path(job.working_directory, "job.out")
    output.parent.mkdir(parents=True)
    output.write_text("partial")
    launcher.run_all(end=S.RUN_ERROR)
    wait_for_state(job, S.FAILED)
    assert output.read_text() == "partial"


def test_an_error_handler_decides_what_becomes_of_the_job(
    tmp_path, start_processor, add_app, add_job, launcher
):
    """T3."""
    add_app(postprocess=str(script(tmp_path, "post.py", HEAD + HANDLE_ERROR)))
    job = add_job(post_error_handler=True)
    launcher.run_all(end=S.RUN_ERROR)
    processor = start_processor()
    wait_for_state(job, S.JOB_FINISHED)
    wait_until(lambda: not processor.is_busy())
    history = BalsamJob.objects.get(pk=job.pk).state_history
    assert history.index("RUN_ERROR") < history.index("handled the error; it is fine")
    assert history.count("JOB_FINISHED]") == 1
    log = Path(job.working_directory, "postprocess.log").read_text()
    assert "# handling the state RUN_ERROR\n" in log


def test_a_timeout_handler_is_run_in_place_of_a_restart(
    tmp_path, start_processor, add_app, add_job, launcher
):
    """T5."""
    add_app(postprocess=str(script(tmp_path, "post.py", HEAD + HANDLE_TIMEOUT)))
    job = add_job(post_timeout_handler=True)
    launcher.run_all(end=S.RUN_TIMEOUT)
    start_processor()
    wait_for_state(job, S.JOB_FINISHED)
    assert "RESTART_READY" not in job.state_history
    assert "handled the timeout" in job.state_history


def test_a_handler_that_restarts_its_job_has_it_run_again(
    tmp_path, start_processor, add_app, add_job, launcher
):
    restart = "if os.environ.get('BALSAM_JOB_ERROR'): job.update_state('RESTART_READY', 'once more')\n"
    add_app(postprocess=str(script(tmp_path, "post.py", HEAD + restart)))
    job = add_job(post_error_handler=True)
    launcher.run_all(end=S.RUN_ERROR)
    processor = start_processor()
    wait_for_state(job, S.RESTART_READY)
    wait_until(lambda: not processor.is_busy())
    (spec,) = launcher.run_all()
    assert spec.attempt == 2
    processor.wake()
    wait_for_state(job, S.JOB_FINISHED)
    log = Path(job.working_directory, "postprocess.log").read_text()
    assert "handling" not in log, "the second run did not fail"


def test_a_handler_that_does_not_decide_fails_the_job(start_processor, add_app, add_job, launcher):
    add_app(postprocess="true")
    job = add_job(post_error_handler=True)
    launcher.run_all(end=S.RUN_ERROR)
    start_processor()
    wait_for_state(job, S.FAILED)
    assert "did not change the job's state" in job.state_history


def test_a_job_gets_its_parents_files_in_the_order_of_their_creation(
    tmp_path, start_processor, add_app, add_job, launcher
):
    add_app()
    parents = [add_job(f"parent{number}") for number in range(3)]
    for parent in parents:
        Path(parent.working_directory).mkdir(parents=True)
        Path(parent.working_directory, "square.dat").write_text(parent.name)
    child = add_job("reduce", input_files="square*.dat*")
    child.set_parents(reversed(parents))
    launcher.run_all()
    start_processor()
    wait_for_state(child, S.PREPROCESSED)
    workdir = Path(child.working_directory)
    names = ["square.dat", *(f"square.dat_{str(parent.job_id)[:8]}" for parent in parents[1:])]
    assert [(workdir / name).read_text() for name in names] == ["parent0", "parent1", "parent2"]
    assert len(list(workdir.iterdir())) == 3
