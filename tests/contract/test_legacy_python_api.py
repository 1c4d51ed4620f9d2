"""The Python surface of the database generation besides jobs: the package, applications, dag, futures."""

import inspect
import json
import logging
import os
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path

import django.core.exceptions
import pytest

import balsam
from balsam.core import models
from balsam.core.models import (
    ApplicationDefinition,
    BalsamJob,
    QueuedLaunch,
)
from balsam.launcher import dag, futures
from balsam.states import JobState as S
from tests.jobs import (
    add_app,
    add_job,
    claim,
    finish,
    open_session,
    report,
)

pytestmark = pytest.mark.usefixtures("db")

# -- the package ---------------------------------------------------------------------------------------


def test_the_package_offers_setup_settings_and_config_logging():
    from balsam import config_logging, settings, setup

    setup()
    assert callable(config_logging)
    assert settings == balsam.settings


def test_importing_the_models_has_no_side_effects(tmp_path: Path):
    script = (
        "import sys, logging; hook = sys.excepthook\n"
        "from balsam.core.models import BalsamJob, ApplicationDefinition\n"
        "from balsam.launcher.dag import BalsamJob as Same, add_job\n"
        "assert Same is BalsamJob and sys.excepthook is hook\n"
        "print(logging.getLogger().level, logging.getLogger().handlers)\n"
    )
    home = tmp_path / "home"
    home.mkdir()
    env = {name: value for name, value in os.environ.items() if name != "BALSAM_DB_PATH"}
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**env, "HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.stdout, done.stderr) == (f"{logging.WARNING} []\n", "")
    assert list(home.iterdir()) == []


def test_the_constants_scripts_import_exist():
    assert (
        *("CREATED", "AWAITING_PARENTS", "READY", "STAGED_IN"),
        *("RUN_DONE", "POSTPROCESSED", "RUN_TIMEOUT", "RUN_ERROR"),
    ) == models.PROCESSABLE_STATES
    assert models.RUNNABLE_STATES == ("PREPROCESSED", "RESTART_READY")
    assert models.ACTIVE_STATES == ("RUNNING",)
    assert models.END_STATES == ("JOB_FINISHED", "FAILED", "USER_KILLED")
    assert len(models.STATES) == 14
    assert models.TIME_FMT == "%m-%d-%Y %H:%M:%S.%f"


def test_states_are_texts():
    job = add_job()

    assert type(job.state) is str
    assert job.state in models.RUNNABLE_STATES
    assert f"{models.RUNNABLE_STATES[0]}" == json.loads(json.dumps(models.RUNNABLE_STATES[0])) == job.state


@pytest.mark.parametrize(
    ("name", "base"),
    [("InvalidStateError", ValueError), ("InvalidParentsError", ValueError), ("NoApplication", ValueError)],
)
def test_exceptions_are_also_builtin_ones(name: str, base: type[Exception]):
    assert issubclass(getattr(models, name), base)


# -- applications --------------------------------------------------------------------------------------


def test_an_application_is_created_once_whatever_its_path():
    app, was_created = ApplicationDefinition.objects.get_or_create(name="square")
    assert was_created and app.executable == app.preprocess == app.postprocess == app.envscript == ""
    app.executable = "/a/app.py"
    app.save()

    with pytest.warns(UserWarning, match="exists with another executable"):
        same, was_created = ApplicationDefinition.objects.get_or_create(name="square", executable="/b/app.py")
    assert (same.pk, same.executable, was_created) == (app.pk, "/a/app.py", False)


def test_inside_a_job_nobody_is_warned_of_another_path(
    monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
):
    add_app("square", "/a/app.py")
    monkeypatch.setenv("BALSAM_JOB_ID", str(uuid.uuid4()))
    ApplicationDefinition.objects.get_or_create(name="square", executable="/b/app.py")

    assert not recwarn.list


def test_application_names_are_unique():
    add_app("square")
    with pytest.raises(django.db.IntegrityError):
        ApplicationDefinition(name="square").save()


def test_the_application_calls_of_the_user_documents_work():
    app = ApplicationDefinition(name="sim", executable="sim --fast", preprocess="pre.py")
    app.save()

    assert ApplicationDefinition.objects.filter(name="sim").exists()
    assert ApplicationDefinition.objects.get(name="sim").preprocess == "pre.py"
    assert [one.name for one in ApplicationDefinition.objects.all()] == ["sim"]
    assert app.cute_id == f"[sim | {app.pk}]" and isinstance(app.pk, int)
    assert str(app) == repr(app) and "sim --fast" in str(app)


# -- launches, dag and futures -------------------------------------------------------------------------


def test_queued_launch_defaults_and_text():
    launch = QueuedLaunch()

    assert (launch.nodes, launch.wall_minutes, launch.state) == (0, 0, "pending-submission")
    assert launch.from_balsam is launch.prescheduled_only is True
    assert str(launch).startswith("Qlaunch {") and "pending-submission" in str(launch)


def test_deleting_a_launch_leaves_its_jobs():
    launch = QueuedLaunch.objects.create()
    job = add_job(queued_launch=launch)
    launch.delete()
    job.refresh_from_db()

    assert job.queued_launch is None


def parameters(function: Callable[..., object]) -> str:
    return ", ".join(
        name if p.default is p.empty else f"{name}={p.default!r}"
        for name, p in inspect.signature(function).parameters.items()
    )


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (
            dag.add_job,
            "name, workflow, application, description='', args='', mpi_flags='', num_nodes=1, "
            "ranks_per_node=1, cpu_affinity='depth', threads_per_rank=1, threads_per_core=1, "
            "environ_vars=None, data=None, save=True, kwargs",
        ),
        (dag.add_dependency, "parent, child"),
        (dag.kill, "job, recursive=True"),
        (
            dag.submit,
            "project='datascience', queue='debug-flat-quad', nodes=1, wall_minutes=30, job_mode='mpi', "
            "wf_filter=''",
        ),
        (dag.clone, "job, fields"),
        (dag.wf_from_template, "source_wf, new_wf, overrides"),
        (
            dag.add_app,
            "name, executable, description='', envscript='', preprocess='', postprocess='', checkexe=False",
        ),
        (futures.FutureTask.__init__, "self, job, done_callback, fail_callback=None, args, kwargs"),
        (futures.wait, "futures, timeout=None, return_when='ANY_COMPLETED', poll_period=1.0"),
        (BalsamJob.update_state, "self, new_state, message='', release=False"),
        (BalsamJob.get_envs, "self, timeout=False, error=False"),
    ],
)
def test_signatures(function: Callable[..., object], expected: str):
    assert parameters(function) == expected


def test_wait_result_has_its_four_lists():
    assert futures.WaitResult._fields == ("active", "done", "failed", "cancelled")


def test_the_script_of_the_user_document_works(tmp_path: Path):
    """The full example of the Python API document, in the place of its batch job."""
    document = """
app, was_created = ApplicationDefinition.objects.get_or_create(name='square')
for i in range(10):
    job = BalsamJob(name=f"square{i}", workflow="demo-square", application="square")
    job.data["x"] = i
    job.save()
"""
    exec(document, {"BalsamJob": BalsamJob, "ApplicationDefinition": ApplicationDefinition})
    session = open_session()
    specs = claim(session)
    assert len(specs) == 10
    for spec in specs:
        job = BalsamJob.objects.get(pk=spec.job_id)
        report(session, [spec], S.RUNNING)
        job.data["y"] = job.data["x"] ** 2
        job.save()
    report(session, specs, S.RUN_DONE)
    finish(session, [])

    assert {job.data["x"]: job.data["y"] for job in BalsamJob.objects.all()} == {i: i * i for i in range(10)}
    assert {job.state for job in BalsamJob.objects.all()} == {"JOB_FINISHED"}
