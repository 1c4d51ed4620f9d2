"""What a launcher learns of the batch job it runs in."""

import pytest

from balsam.launcher.batch_job import BatchJob, surrounding_batch_job
from balsam.launcher.options import LauncherOptions
from balsam.lib.commands import Answer


def test_outside_of_a_batch_job_there_is_none():
    assert surrounding_batch_job({"PATH": "/bin"}) is None


def test_environment_names_the_batch_job():
    assert surrounding_batch_job({"SLURM_JOB_ID": "7"}) == BatchJob("slurm", "7")
    found = surrounding_batch_job({"PBS_JOBID": "7.server"})
    assert found is not None and found.scheduler == "pbs"


@pytest.mark.parametrize(
    ("answer", "minutes"),
    [
        (Answer(0, "10:00\n"), 9.75),
        (Answer(0, "1:00\n"), 0.9),
        (Answer(0, "UNLIMITED\n"), None),
        (Answer(1, "", "slurm_load_jobs error"), None),
        (Answer(None, problem="no answer"), None),
    ],
)
def test_time_is_the_schedulers_word_with_a_margin(answer: Answer, minutes: float | None):
    limit = BatchJob("slurm", "7").time_limit_min(lambda command: answer)
    assert limit == (None if minutes is None else pytest.approx(minutes))


def test_launcher_says_whose_word_its_time_limit_is():
    given = LauncherOptions(mode="serial", time_limit_min=5)
    assert given.time_text == "Stops after 5.0 min, by --time-limit-minutes"
    asked = LauncherOptions(mode="serial", time_limit_min=5, time_source="batch job 7 of slurm")
    assert asked.time_text == "Stops after 5.0 min, by batch job 7 of slurm"
    unknown = LauncherOptions(mode="serial", time_source="batch job 7 of slurm")
    assert "batch job 7 of slurm tells none" in unknown.time_text
    assert LauncherOptions(mode="serial").time_text == "No time limit: none was given"
