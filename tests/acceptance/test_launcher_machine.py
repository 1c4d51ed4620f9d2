"""A launcher on the machine that settings.json names: its GPUs, their variables, and what its nodes share."""

import json
from pathlib import Path

import pytest

from balsam.core.models import BalsamJob
from balsam.platform.machines import load_machine
from tests.jobs import add_app, add_jobs
from tests.launching import run_launcher, script

pytestmark = pytest.mark.usefixtures("db")

SETTINGS = """
title = "Ours"
scheduler = "local"
mpi_run_template = "auto"
worker_detection_type = "local"
gpus = ["1.1", "1.0"]
gpu_kind = "level-zero"
"""
#: Ends well only when no other one runs.
ALONE = """#!/bin/sh
mkdir {there} || exit 1
sleep 0.2
rmdir {there}
"""


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of a machine of one's own, which settings.json names."""
    directory = tmp_path / "home" / "ours"
    directory.mkdir(parents=True)
    (directory / "settings.toml").write_text(SETTINGS)
    for file in (load_machine("local").job_template, load_machine("local").queue_policy):
        (directory / file.name).write_text(file.read_text())
    (directory.parent / "settings.json").write_text(json.dumps({"MACHINE": "./ours"}))
    monkeypatch.setenv("BALSAM_HOME", str(directory.parent))
    monkeypatch.delenv("ZE_AFFINITY_MASK", raising=False)
    return directory


@pytest.mark.parametrize("mode", ["serial", "mpi"])
def test_jobs_see_the_gpus_of_the_machine(mode: str, tmp_path: Path) -> None:
    app = '#!/bin/sh\necho "$ZE_AFFINITY_MASK,$CUDA_VISIBLE_DEVICES."\n'
    add_app("tiles", str(script(tmp_path, "tiles", app)))
    asks, asks_not = add_jobs(1, application="tiles", gpus_per_rank=2), add_jobs(1, application="tiles")
    run_launcher(mode=mode).check()
    told = [
        Path(BalsamJob.objects.get(pk=job.pk).working_directory, f"{job.name}.out").read_text()
        for job in (*asks, *asks_not)
    ]
    assert told == ["1.1,1.0,.\n", ",.\n"]


def test_runs_have_nodes_to_themselves_where_the_launcher_shares_none(machine: Path, tmp_path: Path) -> None:
    (machine / "settings.toml").write_text(f"mpi_shares_nodes = false\n{SETTINGS}")
    add_app("alone", str(script(tmp_path, "alone", ALONE.format(there=tmp_path / "there"))))
    add_jobs(5, application="alone", node_packing_count=5)
    run_launcher(mode="mpi").check()
    assert {job.state for job in BalsamJob.objects.all()} == {"JOB_FINISHED"}
