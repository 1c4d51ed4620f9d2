import shlex
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balsam.exceptions import ConfigError, JobStartError
from balsam.platform.mpirun import KNOWN_TEMPLATES, MpiLauncher, MpiRun
from balsam.platform.mpirun.registry import kind_of

MPICH = MpiLauncher("mpich", "mpiexec")
OPENMPI = MpiLauncher("openmpi", "mpirun")
SLURM = MpiLauncher("slurm", "srun")
PERLMUTTER = MpiLauncher("perlmutter", "srun")
APRUN = MpiLauncher("aprun", "aprun")
JSRUN = MpiLauncher("jsrun", "jsrun")
POLARIS = MpiLauncher("polaris", "mpiexec")
AURORA = MpiLauncher("aurora", "mpiexec")
THETAGPU = MpiLauncher("thetagpu", "mpirun")
ALL = [MPICH, OPENMPI, SLURM, PERLMUTTER, JSRUN, POLARIS, AURORA, THETAGPU]


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
NIDS = {**TWO_HOSTS, "hosts": ["nid01001", "nid00030"]}


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
        (
            SLURM,
            {**TWO_HOSTS, "threads_per_rank": 8},
            "srun -n 8 --ntasks-per-node 4 --nodes 2 --nodelist a,b --cpus-per-task 8 --overlap app x",
        ),
        (
            PERLMUTTER,
            {
                **TWO_HOSTS,
                "threads_per_rank": 32,
                "gpus_per_rank": 1,
                "gpu_masks": {"CUDA": "0,1,2,3"},
                "cpu_ids": range(64),
            },
            "srun -n 8 --ntasks-per-node 4 --nodes 2 --nodelist a,b --cpus-per-task 32 --gpus-per-task 1 "
            "--overlap app x",
        ),
        (
            PERLMUTTER,
            {"num_ranks": 1, "ranks_per_node": 1, "hosts": ["nid001"], "cpu_ids": (7,)},
            "srun --gres=craynetwork:0 -n 1 --ntasks-per-node 1 --nodes 1 --nodelist nid001 "
            "--cpus-per-task 1 --overlap app x",
        ),
        (APRUN, {**NIDS}, "aprun -n 8 -N 4 -L 1001,30 -cc none app x"),
        (
            APRUN,
            {**NIDS, "cpu_affinity": "depth", "threads_per_rank": 16, "threads_per_core": 2},
            "aprun -n 8 -N 4 -L 1001,30 -cc depth -d 16 -j 2 app x",
        ),
        (APRUN, {**NIDS, "cpu_affinity": "depth"}, "aprun -n 8 -N 4 -L 1001,30 -cc depth -d 1 -j 1 app x"),
        (
            APRUN,
            {**NIDS, "threads_per_core": 4},
            "aprun -n 8 -N 4 -L 1001,30 -cc none -d 1 -j 4 app x",
        ),
        (
            JSRUN,
            {**TWO_HOSTS, "threads_per_rank": 28, "threads_per_core": 4, "gpus_per_rank": 1},
            "jsrun --nrs 8 --tasks_per_rs 1 --rs_per_host 4 --cpu_per_rs 7 --bind rs --gpu_per_rs 1 app x",
        ),
        (
            JSRUN,
            {**TWO_HOSTS, "gpus_per_rank": 0.5},
            "jsrun --nrs 4 --tasks_per_rs 2 --rs_per_host 2 --cpu_per_rs 2 --bind rs --gpu_per_rs 1 app x",
        ),
        (
            JSRUN,
            {**TWO_HOSTS, "gpus_per_rank": 1 / 3},
            "jsrun --nrs 4 --tasks_per_rs 2 --rs_per_host 2 --cpu_per_rs 2 --bind rs --gpu_per_rs 1 app x",
        ),
        (
            POLARIS,
            {"hosts": ["x1"], "threads_per_rank": 4, "cpu_ids": range(8), "gpus_per_rank": 1},
            "mpiexec -np 2 -ppn 2 --hosts x1 --cpu-bind list:0,1,2,3:4,5,6,7 -d 4 app x",
        ),
        (
            POLARIS,
            {"hosts": ["x1"], "threads_per_rank": 4, "threads_per_core": 2, "cpu_ids": range(4)},
            "mpiexec -np 2 -ppn 2 --hosts x1 --cpu-bind list:0,1,32,33:2,3,34,35 -d 4 app x",
        ),
        (
            POLARIS,
            {**TWO_HOSTS, "cpu_affinity": "core", "cpu_ids": range(32)},
            "mpiexec -np 8 -ppn 4 --hosts a,b --cpu-bind core -d 8 app x",
        ),
        (
            POLARIS,
            {**TWO_HOSTS, "threads_per_rank": 16, "cpu_ids": range(32)},
            "mpiexec -np 8 -ppn 4 --hosts a,b --cpu-bind none -d 16 app x",
        ),
        (
            AURORA,
            {**TWO_HOSTS, "threads_per_rank": 4, "cpu_ids": range(1, 17)},
            "mpiexec -np 8 -ppn 4 --hosts a,b --cpu-bind none -d 4 --envall app x",
        ),
        (
            AURORA,
            {"hosts": ["x1"], "cpu_affinity": "depth", "threads_per_core": 2, "cpu_ids": (1, 2)},
            "mpiexec -np 2 -ppn 2 --hosts x1 --cpu-bind list:1,105:2,106 -d 1 --envall app x",
        ),
        (
            THETAGPU,
            {**TWO_HOSTS, "hostfile": "/var/tmp/nodes", "forward": ["BALSAM_JOB_ID", "X"]},
            "mpirun -hostfile /var/tmp/nodes --oversubscribe --bind-to none -n 8 -npernode 4 "
            "-x BALSAM_JOB_ID -x X --host a,b app x",
        ),
        (THETAGPU, {}, "mpirun --oversubscribe --bind-to none -n 2 -npernode 2 --host here app x"),
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


@pytest.mark.parametrize(
    ("launcher", "fields", "options"),
    [
        (MPICH, {"cpu_ids": (4, 5, 6, 7), "threads_per_rank": 2}, "-bind-to user:4+5,6+7"),
        (MPICH, {"cpu_ids": (4, 5, 6)}, "-bind-to user:4,5"),
        (SLURM, {"cpu_ids": (4, 5, 6, 7), "threads_per_rank": 2}, "--cpu-bind=mask_cpu:0x30,0xc0"),
        (
            SLURM,
            {"cpu_ids": (100,), "num_ranks": 1, "ranks_per_node": 1},
            f"--cpu-bind=mask_cpu:{1 << 100:#x}",
        ),
        (POLARIS, {"cpu_ids": (4, 5)}, "--cpu-bind list:4:5"),
    ],
)
def test_ranks_that_are_to_be_bound_get_the_jobs_own_cpus(
    launcher: MpiLauncher, fields: dict[str, Any], options: str
) -> None:
    bound = {"cpu_affinity": "depth", **fields}
    assert options in line(launcher, **bound)
    assert "--cpus-per-task" not in line(launcher, **bound)


@pytest.mark.parametrize("launcher", [MPICH, SLURM, PERLMUTTER, AURORA, POLARIS])
def test_ranks_are_not_bound_to_fewer_cpus_than_they_ask_for(launcher: MpiLauncher) -> None:
    text = line(launcher, cpu_affinity="depth", threads_per_rank=4, cpu_ids=(0, 1, 2, 3))
    assert not any(word in text for word in ("user:", "mask_cpu", "list:"))


def test_srun_is_told_where_ranks_are_more_than_cpus() -> None:
    assert "--overcommit" in line(SLURM, cpu_ids=(0,))
    assert "--overcommit" not in line(SLURM, cpu_ids=(0,), threads_per_core=2)
    assert "--overcommit" not in line(SLURM, cpu_ids=(0, 1))
    assert "--overcommit" not in line(SLURM)


@pytest.mark.parametrize("launcher", [SLURM, PERLMUTTER])
def test_steps_that_share_a_node_count_no_cpus(launcher: MpiLauncher) -> None:
    assert "--cpus-per-task" not in line(launcher, is_alone=False, threads_per_rank=8)


@pytest.mark.parametrize("launcher", [SLURM, PERLMUTTER, MPICH, POLARIS, AURORA])
def test_what_was_given_no_cpus_may_use_all(launcher: MpiLauncher) -> None:
    text = line(launcher, num_ranks=1, ranks_per_node=1, cpu_affinity="none")
    assert not any(word in text for word in ("--cpus-per-task", "mask_cpu", "user:", "list:"))


def test_srun_gets_the_mask_of_the_gpus_before_the_command() -> None:
    masks = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": "3,2"}
    ending = "--overlap env CUDA_DEVICE_ORDER=PCI_BUS_ID CUDA_VISIBLE_DEVICES=3,2 app x"
    assert line(SLURM, gpu_masks=masks).endswith(ending)
    assert line(PERLMUTTER, gpu_masks=masks, is_alone=False, gpus_per_rank=1).endswith(ending)
    assert line(PERLMUTTER, gpu_masks=masks, gpus_per_rank=0.5).endswith(ending)
    assert line(PERLMUTTER, gpu_masks=masks, gpus_per_rank=1).endswith("--gpus-per-task 1 --overlap app x")


def test_who_shows_ranks_their_gpus() -> None:
    assert JSRUN.assigns_gpus(run(gpus_per_rank=1))
    assert PERLMUTTER.assigns_gpus(run(gpus_per_rank=2))
    assert not PERLMUTTER.assigns_gpus(run(gpus_per_rank=2, is_alone=False))
    assert not any(
        launcher.assigns_gpus(run(gpus_per_rank=1)) for launcher in (MPICH, OPENMPI, SLURM, POLARIS)
    )


def test_only_children_on_this_host_inherit_its_binding() -> None:
    assert all(launcher.inherits_cpus(run()) for launcher in (MPICH, OPENMPI))
    assert not any(launcher.inherits_cpus(run(hosts=["there"])) for launcher in ALL)
    assert not any(launcher.inherits_cpus(run()) for launcher in (SLURM, APRUN, POLARIS, AURORA, JSRUN))


def test_aprun_refuses_a_node_without_a_number() -> None:
    with pytest.raises(JobStartError, match=r"'here', which is no node such as nid01001.*THETA"):
        line(APRUN)


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
    assert MPICH.environ(is_root=True) == SLURM.environ(is_root=True) == APRUN.environ(is_root=True) == {}


@pytest.mark.parametrize("template", sorted({*KNOWN_TEMPLATES} - {"auto", "none", "LocalAppRun"}))
def test_every_known_name_leads_to_a_launcher(template: str) -> None:
    launcher = MpiLauncher.from_text(f"{template}=/opt/a=b/run")
    assert launcher.executable == "/opt/a=b/run"
    assert launcher.command(run(hosts=["nid00001"]))[0] == "/opt/a=b/run"
    assert MpiLauncher.from_text(str(launcher)) == launcher


def test_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"'CoriRun' is not known\..*auto, MPICHCommand, OpenMPI"):
        MpiLauncher.from_text("CoriRun=srun")


def test_a_dotted_name_counts_by_its_last_part() -> None:
    assert kind_of("balsam.platform.app_run.PolarisRun") == "polaris"


def test_a_blue_gene_is_known_and_refused() -> None:
    with pytest.raises(ConfigError, match="BGQMPICommand is known, but"):
        kind_of("BGQMPICommand")


def test_misspelt_name_gets_a_proposal() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'MPICHCommand'"):
        MpiLauncher.from_text("MPICHComand")
