"""Defining applications and adding jobs."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from balsam.core.models import ApplicationDefinition, BalsamJob
from tests.commands import Finished

Cli = Callable[..., Finished]
JOB = ("job", "--name", "x1", "--workflow", "test", "--application", "square")


@pytest.fixture
def square(db: Path) -> ApplicationDefinition:
    app = ApplicationDefinition(name="square", executable="/bin/echo")
    app.save()
    return app


def test_app_stores_other_commands_as_they_are(balsam: Cli):
    balsam("app", "--name", "sim", "--exec", "bin/sim  -q ", "--description", "two", "words").check()
    app = ApplicationDefinition.objects.get(name="sim")
    assert (app.executable, app.description) == ("bin/sim  -q ", "two words")


def test_python_files_are_run_by_this_python(balsam: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    balsam("app", "--name", "py", "--executable", "a.py -x  1", "--pre", "b.py", "--env", "setup.py").check()
    app = ApplicationDefinition.objects.get(name="py")
    assert app.executable == f"{sys.executable} {tmp_path}/a.py -x 1"
    assert app.preprocess == f"{sys.executable} {tmp_path}/b.py"
    assert app.envscript == "setup.py"


def test_app_prints_what_it_added(balsam: Cli):
    out = balsam("app", "--name", "sim", "--executable", "/bin/true").stdout
    assert out.startswith("Application 1:\n---")
    assert "Added application [sim | 1]" in out


def test_second_app_of_a_name_is_refused(balsam: Cli, square: ApplicationDefinition):
    done = balsam("app", "--name", "square", "--executable", "/bin/true")
    assert done.returncode == 7
    assert "already" in done.stderr
    square.refresh_from_db()
    assert square.executable == "/bin/echo"


def test_app_that_is_not_here_is_noted(balsam: Cli):
    done = balsam("app", "--name", "sim", "--executable", "/no/such/sim").check()
    assert "'/no/such/sim' is no executable file here" in done.stderr


def test_job_has_the_columns_of_its_options(balsam: Cli, square: ApplicationDefinition):
    options = (
        "--wall-time-minutes 5 --num-nodes 2 --coschedule-num-nodes 1 --node-packing-count 3 "
        "--ranks-per-node 4 --threads-per-rank 6 --threads-per-core 2 --description a b --args x y "
        "--mpi-flags=-x=1 --post_handle_error --post_handle_timeout --disable_auto_timeout_retry "
        "--input-files *.dat --url-in local:/a --url-out local:/b --stage-out-files *.out *.log "
        "--env A=1 --env B=2=3:4 --yes --gpus-per-rank 0.5 --memory-mb-per-node 100 --priority -2"
    )
    balsam(*JOB, *options.split()).check()
    job = BalsamJob.objects.get(name="x1")
    assert (job.workflow, job.application, job.args) == ("test", "square", "x y")
    assert (job.wall_time_minutes, job.num_nodes, job.coschedule_num_nodes) == (5, 2, 1)
    assert (job.node_packing_count, job.ranks_per_node) == (3, 4)
    assert (job.threads_per_rank, job.threads_per_core, job.mpi_flags) == (6, 2, "-x=1")
    assert (job.post_error_handler, job.post_timeout_handler, job.auto_timeout_retry) == (True, True, False)
    assert (job.input_files, job.stage_out_files) == ("*.dat", "*.out *.log")
    assert (job.stage_in_url, job.stage_out_url) == ("local:/a", "local:/b")
    assert (job.gpus_per_rank, job.memory_mb_per_node, job.priority) == (0.5, 100, -2)
    assert job.environ_vars == {"A": "1", "B": "2=3:4"}


def test_job_links_all_files_of_parents_by_default(balsam: Cli, square: ApplicationDefinition):
    balsam(*JOB, "--yes").check()
    assert BalsamJob.objects.get().input_files == "*"


def test_prefix_app_names_the_application(balsam: Cli, square: ApplicationDefinition):
    balsam("job", "--name", "x", "--workflow", "w", "--app", "square", "--yes").check()
    assert BalsamJob.objects.get().application == "square"


def test_job_asks_and_tells_the_size_of_the_workflow(balsam: Cli, square: ApplicationDefinition):
    balsam(*JOB, "--yes").check()
    done = balsam(*JOB, input="y\n").check()
    assert "Workflow 'test' has 1 jobs so far." in done.stdout
    assert " [y/n]: " in done.stdout
    assert f"BalsamJob {BalsamJob.objects.order_by('-number')[0].job_id}" in done.stdout
    assert BalsamJob.objects.count() == 2


def test_no_to_the_question_adds_nothing_and_is_a_success(balsam: Cli, square: ApplicationDefinition):
    done = balsam(*JOB, input="n\n").check()
    assert "aborted" in done.stdout
    assert not BalsamJob.objects.exists()


def test_end_of_input_adds_nothing_and_fails(balsam: Cli, square: ApplicationDefinition):
    done = balsam(*JOB, input="")
    assert done.returncode == 2
    assert "--yes" in done.stderr
    assert done.stdout.count("[y/n]") == 1
    assert not BalsamJob.objects.exists()


def test_unknown_application_is_refused_with_a_close_name(balsam: Cli, square: ApplicationDefinition):
    done = balsam("job", "--name", "x", "--workflow", "w", "--application", "sqare", "--yes")
    assert done.returncode == 3
    assert "Did you mean square?" in done.stderr


def test_bad_env_is_a_usage_error(balsam: Cli, square: ApplicationDefinition):
    done = balsam(*JOB, "--env", "A", "--yes")
    assert done.returncode == 2
    assert "--env takes VAR=VALUE, not 'A'" in done.stderr


def test_make_dummies_adds_so_many_jobs(balsam: Cli):
    balsam("make_dummies", 3).check()
    jobs = BalsamJob.objects.filter(
        workflow="dummy", application="dummy", args="hello", node_packing_count=64
    )
    assert sorted(jobs.values_list("name", flat=True)) == ["dummy0", "dummy1", "dummy2"]
    balsam("make_dummies", 2).check()
    assert BalsamJob.objects.count() == 5
