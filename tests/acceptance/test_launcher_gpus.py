"""GPUs through the whole launcher: a job has those it asks for to itself, in both modes."""

from pathlib import Path

import pytest

from balsam.core.models import BalsamJob
from tests.jobs import add_app, add_jobs
from tests.launching import run_launcher, script

pytestmark = pytest.mark.usefixtures("db")

#: Ends only when both have been told their GPUs: they run at once, or the launcher never ends.
APP = """#!/bin/sh
echo "$CUDA_VISIBLE_DEVICES" > {here}/$BALSAM_JOB_ID
until [ "$(ls {here} | wc -l)" -ge 2 ]; do sleep 0.02; done
"""


@pytest.mark.parametrize("mode", ["serial", "mpi"])
@pytest.mark.parametrize(("gpus_per_rank", "seen"), [(1, {"0", "1"}), (2, {"0,1", "2,3"})])
def test_jobs_that_run_at_once_have_gpus_of_their_own(
    mode: str, gpus_per_rank: int, seen: set[str], tmp_path: Path
) -> None:
    here = tmp_path / "told"
    here.mkdir()
    add_app("gpu", str(script(tmp_path, "gpu", APP.format(here=here))))
    made = add_jobs(2, application="gpu", gpus_per_rank=gpus_per_rank, node_packing_count=2)
    run_launcher(f"--gpus-per-node={2 * gpus_per_rank}", mode=mode).check()
    assert {(here / str(job.job_id)).read_text().strip() for job in made} == seen


@pytest.mark.parametrize("mode", ["serial", "mpi"])
def test_job_of_more_gpus_than_there_are_is_left_with_the_reason(mode: str) -> None:
    add_jobs(1, gpus_per_rank=3)
    done = run_launcher("--gpus-per-node=2", mode=mode).check()
    assert "1 job cannot be placed here" in done.stdout and "GPU" in done.stdout
    assert BalsamJob.objects.get().state == "PREPROCESSED"
