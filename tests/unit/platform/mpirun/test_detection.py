import sys
from pathlib import Path

import pytest

from balsam.exceptions import ConfigError
from balsam.platform.mpirun import detect, detection
from balsam.platform.mpirun.detection import parse_version

DATA = Path(__file__).parents[3] / "data" / "mpirun"


def captured(name: str) -> str:
    """Output of a launcher, without the line that names its source."""
    return (DATA / name).read_text().partition("\n")[2]


MPICH = captured("mpich-5.0.2.txt")
OPENMPI = captured("openmpi-5.0.11.txt")


class Machine:
    """A PATH and a directory of Python, with launchers that tell their versions without being run."""

    def __init__(self, root: Path) -> None:
        self.path = root / "path"
        self.python = root / "venv"
        self._versions: dict[str, str] = {}
        for directory in (self.path, self.python):
            directory.mkdir()

    def install(self, executable: Path, version: str = "") -> str:
        executable.touch(mode=0o755)
        self._versions[str(executable)] = version
        return str(executable)

    def version(self, executable: str) -> str:
        return self._versions[executable]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine(tmp_path)
    monkeypatch.setenv("PATH", str(machine.path))
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    monkeypatch.setattr(sys, "executable", str(machine.python / "python"))
    monkeypatch.setattr(detection, "_version", machine.version)
    return machine


@pytest.mark.parametrize(
    ("name", "kind"),
    [("mpich-5.0.2.txt", "mpich"), ("openmpi-5.0.11.txt", "openmpi"), ("openmpi-4.1.4.txt", "openmpi")],
)
def test_captured_versions_are_known(name: str, kind: str) -> None:
    assert parse_version(captured(name)) == kind


@pytest.mark.parametrize("text", ["", "mpiexec version 1.2.3 of somebody", "\x7fELF"])
def test_other_versions_are_unknown(text: str) -> None:
    assert parse_version(text) == ""


def test_launcher_on_path_is_found(machine: Machine) -> None:
    executable = machine.install(machine.path / "mpiexec", OPENMPI)
    assert detect() == f"openmpi={executable}"


def test_launcher_beside_python_is_found_without_path(machine: Machine) -> None:
    executable = machine.install(machine.python / "mpiexec", MPICH)
    assert detect() == f"mpich={executable}"


def test_path_comes_before_the_place_of_python(machine: Machine) -> None:
    machine.install(machine.python / "mpiexec", MPICH)
    executable = machine.install(machine.path / "mpirun", OPENMPI)
    assert detect() == f"openmpi={executable}"


def test_launcher_that_is_not_known_is_passed_over(machine: Machine) -> None:
    machine.install(machine.path / "mpiexec", "somebody's")
    executable = machine.install(machine.python / "mpiexec", MPICH)
    assert detect() == f"mpich={executable}"


def test_machine_without_mpi_has_none(machine: Machine) -> None:
    assert detect() == ""


def test_srun_serves_only_inside_an_allocation(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    executable = machine.install(machine.path / "srun")
    assert detect() == ""
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    assert detect() == f"slurm={executable}"


def test_setting_chooses_among_several(machine: Machine) -> None:
    first = machine.install(machine.path / "mpiexec", MPICH)
    second = machine.install(machine.path / "mpirun", OPENMPI)
    srun = machine.install(machine.path / "srun")
    assert detect("MPICHCommand") == f"mpich={first}"
    assert detect("OpenMPICommand") == f"openmpi={second}"
    assert detect("SlurmMPICommand") == f"slurm={srun}"


def test_launcher_that_another_hides_on_path_serves_the_setting(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{machine.python}::{machine.path}")
    hiding = machine.install(machine.python / "mpirun", MPICH)
    hidden = machine.install(machine.path / "mpirun", OPENMPI)
    assert detect("auto") == f"mpich={hiding}"
    assert detect("OpenMPICommand") == f"openmpi={hidden}"


def test_setting_is_believed_when_the_launcher_does_not_tell_its_kind(machine: Machine) -> None:
    executable = machine.install(machine.path / "mpiexec", "somebody's build of MPICH")
    assert detect("MPICHCommand") == f"mpich={executable}"


def test_launcher_of_another_mpi_does_not_serve_the_setting(machine: Machine) -> None:
    machine.install(machine.path / "mpiexec", MPICH)
    with pytest.raises(
        ConfigError, match="asks for openmpi, and there is no mpiexec or mpirun of it on PATH"
    ):
        detect("OpenMPICommand")


def test_unknown_setting_is_refused(machine: Machine) -> None:
    with pytest.raises(ConfigError, match="'BGQCommand' is not known"):
        detect("BGQCommand")


def test_launcher_that_cannot_be_run_is_unknown(tmp_path: Path) -> None:
    broken = tmp_path / "mpiexec"
    broken.touch(mode=0o755)
    assert detection._version(str(broken)) == ""
    assert detection._version(str(tmp_path / "missing")) == ""


def test_without_mpi_by_the_users_word_there_is_none(machine: Machine) -> None:
    machine.install(machine.path / "mpiexec", MPICH)
    assert detect("none") == detect("LocalAppRun") == ""


def test_the_launcher_of_a_machine_is_found_by_its_command(machine: Machine) -> None:
    aprun = machine.install(machine.path / "aprun")
    vendors = machine.install(machine.path / "mpiexec", "mpiexec version 1.2.3 of somebody")
    machine.install(machine.python / "mpiexec", MPICH)
    openmpi = machine.install(machine.path / "mpirun", OPENMPI)
    assert detect("ThetaMPICommand") == f"aprun={aprun}"
    assert detect("PolarisRun") == f"polaris={vendors}"
    assert detect("ThetaGPURun") == f"thetagpu={openmpi}"
    with pytest.raises(ConfigError, match="asks for jsrun, and there is no jsrun"):
        detect("SummitJsrun")
