import shlex
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balsam.exceptions import ConfigError, JobStartError
from balsam.platform.mpirun import KNOWN_TEMPLATES, MpiLauncher, MpiRun

MPICH = MpiLauncher("mpich", "mpiexec")
OPENMPI = MpiLauncher("openmpi", "mpirun")
SLURM = MpiLauncher("slurm", "srun")
ALL = [MPICH, OPENMPI, SLURM]


def run(**fields: Any) -> MpiRun:
    """Two ranks of an application on this host, unless ``fields`` say otherwise."""
    return MpiRun(
        **{
            "argv": ["app", "x"],
            "num_ranks": 2,
            "ranks_per_node": 2,
            "hosts": ["here"],
            "this_host": "here",
            **fields,
        }
    )


def line(launcher: MpiLauncher, **fields: Any) -> str:
    return shlex.join(launcher.command(run(**fields)))


TWO_HOSTS = {"hosts": ["a", "b"], "num_ranks": 8, "ranks_per_node": 4}


@pytest.mark.parametrize(
    ("launcher", "fields", "command"),
    [
        (MPICH, {}, "mpiexec -n 2 -ppn 2 app x"),
        (MPICH, TWO_HOSTS, "mpiexec -n 8 -ppn 4 -hosts a,b app x"),
        (MPICH, {"hosts": ["there"]}, "mpiexec -n 2 -ppn 2 -hosts there app x"),
        (OPENMPI, {}, "mpirun -n 2 --map-by ppr:2:node:OVERSUBSCRIBE --bind-to none app x"),
        (
            OPENMPI,
            {**TWO_HOSTS, "forward": ["BALSAM_JOB_ID"]},
            "mpirun -n 8 --map-by ppr:4:node:OVERSUBSCRIBE --bind-to none "
            "--host a:4,b:4 -x BALSAM_JOB_ID app x",
        ),
        (OPENMPI, {"forward": ["A"]}, "mpirun -n 2 --map-by ppr:2:node:OVERSUBSCRIBE --bind-to none app x"),
        (SLURM, {}, "srun -n 2 --ntasks-per-node 2 --nodes 1 --nodelist here --overlap app x"),
        (SLURM, TWO_HOSTS, "srun -n 8 --ntasks-per-node 4 --nodes 2 --nodelist a,b --overlap app x"),
    ],
)
def test_command_of_each_launcher(launcher: MpiLauncher, fields: dict[str, Any], command: str) -> None:
    assert line(launcher, **fields) == command


@pytest.mark.parametrize(
    ("launcher", "flags", "command"),
    [
        (MPICH, "-bind-to core", "mpiexec -n 2 -ppn 2 -bind-to core app x"),
        (MPICH, "--ppn 1", "mpiexec -n 2 --ppn 1 app x"),
        (MPICH, "-genv X 'a b'", "mpiexec -n 2 -ppn 2 -genv X 'a b' app x"),
        (
            OPENMPI,
            "--bind-to core",
            "mpirun -n 2 --map-by ppr:2:node:OVERSUBSCRIBE --bind-to core app x",
        ),
        (OPENMPI, "--map-by=slot --mca a b", "mpirun -n 2 --bind-to none --map-by=slot --mca a b app x"),
        (
            SLURM,
            "--exact --gpus-per-task=1",
            "srun -n 2 --ntasks-per-node 2 --nodes 1 --nodelist here --exact --gpus-per-task=1 app x",
        ),
    ],
)
def test_option_of_the_user_replaces_balsams(launcher: MpiLauncher, flags: str, command: str) -> None:
    assert line(launcher, flags=flags) == command


@pytest.mark.parametrize("launcher", ALL)
def test_flags_with_an_open_quote_are_the_jobs_own_error(launcher: MpiLauncher) -> None:
    with pytest.raises(JobStartError, match='mpi_flags "-x \'a": no closing quotation'):
        line(launcher, flags="-x 'a")


@pytest.mark.parametrize("launcher", ALL)
@given(argv=st.lists(st.one_of(st.text(st.characters(exclude_characters="\0")), st.just(":")), min_size=1))
def test_arguments_reach_the_application_as_they_are(launcher: MpiLauncher, argv: list[str]) -> None:
    words = launcher.command(run(argv=argv))
    if ":" in argv:
        assert ":" not in words
        assert words[-3:-1] == ["/bin/sh", "-c"]
        words = shlex.split(words[-1])
        assert words[0] == "exec"
    assert words[len(words) - len(argv) :] == argv


def test_open_mpi_lets_root_run_it() -> None:
    assert OPENMPI.environ(is_root=True) == {
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        "PRTE_ALLOW_RUN_AS_ROOT": "1",
        "PRTE_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    }


def test_others_need_no_variables() -> None:
    assert OPENMPI.environ(is_root=False) == {}
    assert MPICH.environ(is_root=True) == SLURM.environ(is_root=True) == {}


@pytest.mark.parametrize("template", [name for name in KNOWN_TEMPLATES if name != "auto"])
def test_every_known_name_leads_to_a_launcher(template: str) -> None:
    launcher = MpiLauncher.from_text(f"{template}=/opt/a=b/run")
    assert launcher.executable == "/opt/a=b/run"
    assert launcher.command(run())[0] == "/opt/a=b/run"
    assert MpiLauncher.from_text(str(launcher)) == launcher


def test_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"'ThetaMPICommand' is not known\..*auto, MPICHCommand, OpenMPI"):
        MpiLauncher.from_text("ThetaMPICommand=aprun")


def test_misspelt_name_gets_a_proposal() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'MPICHCommand'"):
        MpiLauncher.from_text("MPICHComand")
