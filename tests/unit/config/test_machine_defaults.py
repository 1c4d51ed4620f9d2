import json
import os
from pathlib import Path
from typing import Any

import pytest

from balsam.config import UserSettings, user_settings
from balsam.config.machine_defaults import machine_named
from balsam.exceptions import ConfigError
from balsam.platform.machines import KNOWN_MACHINES, load_machine


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of settings.json."""
    monkeypatch.setenv("BALSAM_HOME", str(tmp_path))
    return tmp_path


def settings(home: Path, **values: Any) -> UserSettings:
    (home / "settings.json").write_text(json.dumps(values))
    return user_settings()


def test_the_machine_says_what_the_file_does_not(home: Path) -> None:
    polaris = settings(home, MACHINE="polaris")
    assert (polaris.SCHEDULER_CLASS, polaris.MPI_RUN_TEMPLATE) == ("pbs", "polaris")
    assert (polaris.WORKER_DETECTION_TYPE, polaris.MAX_CONCURRENT_MPIRUNS) == ("pbs", 990)
    assert polaris.QUEUE_POLICY == "polaris_policy.ini"
    assert home / polaris.JOB_TEMPLATE == load_machine("polaris").job_template
    assert settings(home, MACHINE="aurora").MAX_MPI_LAUNCHES_PER_ALLOCATION == 1000
    assert settings(home, MACHINE="theta").QUEUE_POLICY == UserSettings().QUEUE_POLICY


def test_what_the_file_says_counts(home: Path) -> None:
    own = {"MPI_RUN_TEMPLATE": "auto", "MAX_MPI_LAUNCHES_PER_ALLOCATION": 0, "JOB_TEMPLATE": "my.sh"}
    aurora = settings(home, MACHINE="aurora", **own)
    assert {name: getattr(aurora, name) for name in own} == own
    assert aurora.SCHEDULER_CLASS == "pbs"


def test_without_a_machine_all_is_found_where_it_is_needed(home: Path) -> None:
    assert settings(home) == settings(home, MACHINE="auto") == UserSettings()


@pytest.mark.parametrize("name", KNOWN_MACHINES)
def test_every_machine_can_be_named(home: Path, name: str) -> None:
    assert machine_named(settings(home, MACHINE=name).MACHINE).name == name


def test_an_unknown_machine_is_told(home: Path) -> None:
    with pytest.raises(ConfigError, match=r"MACHINE .polaris2. is not known. Did you mean 'polaris'"):
        settings(home, MACHINE="polaris2")


def test_a_machine_of_ones_own_is_a_directory_beside_the_settings(home: Path) -> None:
    directory = home / "machines" / "ours"
    directory.mkdir(parents=True)
    for path in load_machine("slurm").job_template.parent.iterdir():
        (directory / path.name).write_text(path.read_text())
    ours = settings(home, MACHINE=os.path.join("machines", "ours"))
    assert (ours.SCHEDULER_CLASS, ours.QUEUE_POLICY) == ("slurm", "ours_policy.ini")
    assert str(directory / "job-template.sh") == ours.JOB_TEMPLATE
