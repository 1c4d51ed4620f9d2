import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balsam.exceptions import JobStartError
from balsam.launcher.commands import JobCommands, split_command, with_envscript
from balsam.launcher.mpi_commands import MpiCommands
from balsam.launcher.placement import Placement
from balsam.schemas.jobs import JobSpec


@given(st.lists(st.text().filter(lambda word: not word.startswith("~")), min_size=1))
def test_quoted_words_come_out_as_they_went_in(words: list[str]) -> None:
    assert split_command(shlex.join(words)) == words


@given(st.text(alphabet="ab /=\t\n\"'\\$`;|&*#\u00a0\x0b"))
def test_every_text_is_split_as_a_shell_does_or_refused(text: str) -> None:
    try:
        words = split_command(text)
    except JobStartError:
        return
    assert words == shlex.split(text)


def test_the_home_directory_is_expanded_in_each_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert split_command("~/bin/app ~ --in=~/x a~b") == ["/home/me/bin/app", "/home/me", "--in=~/x", "a~b"]


def test_nothing_else_is_expanded() -> None:
    words = split_command("app $HOME `id` $(id) *.txt a;b | c && d > e # f")
    assert words == ["app", "$HOME", "`id`", "$(id)", "*.txt", "a;b", "|", "c", "&&", "d", ">", "e", "#", "f"]


@pytest.mark.parametrize("text", ["echo 'a", 'echo "a', "echo a\\"])
def test_a_quote_without_its_partner_is_refused(text: str) -> None:
    with pytest.raises(JobStartError, match="Cannot split the command"):
        split_command(text)


@pytest.mark.parametrize("text", ["", "  \n"])
def test_an_empty_command_is_refused(text: str) -> None:
    with pytest.raises(JobStartError, match="no command"):
        split_command(text)


def test_without_an_envscript_the_command_stays_as_it_is() -> None:
    assert with_envscript(["a", "b c"], "") == ["a", "b c"]


class TestEnvscript:
    """What bash makes of it; the scripts are real."""

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return tmp_path / "env 'it' $x.sh"

    def run(self, path: Path, text: str, argv: list[str]) -> "subprocess.CompletedProcess[str]":
        path.write_text(text)
        return subprocess.run(
            with_envscript(argv, str(path)), capture_output=True, text=True, check=False, timeout=30
        )

    def test_its_variables_reach_the_command_and_the_arguments_stay_whole(self, path: Path) -> None:
        words = ["a b", "$HOME", "'", '"', "*", ""]
        done = self.run(
            path, "export A=1; echo $#", ["sh", "-c", 'echo $A; printf "<%s>" "$@"', "sh", *words]
        )
        assert done.stdout == "0\n1\n" + "".join(f"<{word}>" for word in words)
        assert done.returncode == 0 and done.stderr == ""

    @pytest.mark.parametrize(
        ("text", "code"),
        [
            ("false", 1),
            ("set -e\nfalse\necho never", 1),
            ("exit 7", 7),
            ("exit 0", 1),
            ("return 5", 5),
            ("if then", 2),
        ],
    )
    def test_its_failure_fails_the_job_and_says_so(self, path: Path, text: str, code: int) -> None:
        done = self.run(path, text, ["echo", "ran"])
        assert done.returncode == code
        assert "ran" not in done.stdout and "never" not in done.stdout
        assert "the command was not run" in done.stderr

    def test_a_missing_one_fails_the_job(self, tmp_path: Path) -> None:
        argv = with_envscript(["echo", "ran"], str(tmp_path / "absent"))
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=30)
        assert done.returncode == 1 and done.stdout == ""
        assert "No such file" in done.stderr and "the command was not run" in done.stderr

    def test_a_command_that_cannot_be_run_keeps_the_shells_exit_code(self, path: Path) -> None:
        done = self.run(path, ":", ["/no/such/program"])
        assert done.returncode == 127 and "the command was not run" not in done.stderr


HERE = Placement(("here",), ((3, 4),), ((),), 1)
WITH_GPU = Placement(("here",), ((3,),), (("1",),), 1)
TWO_NODES = Placement(("n1", "n2"), ((0, 1), (0, 1)), ((), ()), 1)
MPICH = MpiCommands("mpich=/opt/mpiexec", this_host="here", is_root=True)


def job(**more: Any) -> JobSpec:
    more = {"command": "app -x 'a b'", "environ": {"A": "1"}, **more}
    return JobSpec(**{"job_id": "1", "name": "my job", "attempt": 2, "workdir": "/w", **more})


def test_a_serial_job_is_started_as_it_is() -> None:
    start = JobCommands("serial").start_of(job(), WITH_GPU)
    assert start.argv == ["app", "-x", "a b"]
    assert (start.workdir, start.output, start.attempt) == ("/w", "my job.out", 2)
    assert start.environ == {"A": "1", "CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": "1"}
    assert start.cpu_ids == ()


def test_a_job_is_bound_to_its_cpus_if_it_asks_for_that_and_has_one_node() -> None:
    assert JobCommands("serial").start_of(job(cpu_affinity="depth"), HERE).cpu_ids == (3, 4)
    bound = JobCommands("mpi", MPICH).start_of(job(cpu_affinity="depth", num_nodes=2), TWO_NODES)
    assert bound.cpu_ids == ()


def test_an_mpi_launcher_is_bound_where_its_ranks_are_here() -> None:
    threads = job(cpu_affinity="depth", threads_per_rank=2)
    start = JobCommands("mpi", MPICH).start_of(threads, HERE)
    assert start.cpu_ids == (3, 4)
    assert start.argv[5:7] == ["-bind-to", "user:3+4"]
    there = Placement(("there",), ((3, 4),), ((),), 1)
    assert JobCommands("mpi", MPICH).start_of(threads, there).cpu_ids == ()
    srun = MpiCommands("slurm=srun", this_host="here", is_root=True)
    assert JobCommands("mpi", srun).start_of(threads, HERE).cpu_ids == ()


GPUS = Placement(("here",), ((0, 1),), (("0.0", "0.1"),), 1)


@pytest.mark.parametrize(
    ("kind", "variables"),
    [
        ("cuda", {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": "0.0,0.1"}),
        ("rocm", {"ROCR_VISIBLE_DEVICES": "0.0,0.1"}),
        ("level-zero", {"ZE_ENABLE_PCI_ID_DEVICE_ORDER": "1", "ZE_AFFINITY_MASK": "0.0,0.1"}),
    ],
)
def test_gpus_are_shown_in_the_way_of_their_vendor(kind: str, variables: dict[str, str]) -> None:
    mpi = MpiCommands("mpich=mpiexec", this_host="here", is_root=True, gpu_kind=kind)
    for commands in (JobCommands("serial", gpu_kind=kind), JobCommands("mpi", mpi)):
        assert commands.start_of(job(), GPUS).environ == {"A": "1", **variables}


def test_a_launcher_that_deals_gpus_is_not_disturbed_by_a_mask() -> None:
    jsrun = MpiCommands("jsrun=jsrun", this_host="here", is_root=True)
    assert JobCommands("mpi", jsrun).start_of(job(gpus_per_rank=2), GPUS).environ == {"A": "1"}


def test_ranks_are_shown_their_own_gpus_where_that_is_asked_for() -> None:
    aurora = MpiCommands("aurora=mpiexec", this_host="here", is_root=True, gpu_kind="level-zero")
    asked = job(ranks_per_node=2, gpus_per_rank=1, environ={"BALSAM_GPUS_PER_RANK": "1"})
    start = JobCommands("mpi", aurora).start_of(asked, GPUS)
    shell = start.argv.index("/bin/sh")
    assert start.argv[shell + 1] == "-c"
    assert start.argv[shell + 3 :] == ["sh", "ZE_AFFINITY_MASK", "0.0 0.1", "app", "-x", "a b"]
    assert start.environ["ZE_AFFINITY_MASK"] == "0.0,0.1"


def test_all_jobs_of_a_launcher_may_show_ranks_their_own_gpus() -> None:
    environ = {"BALSAM_GPUS_PER_RANK": "1"}
    srun = JobCommands("mpi", MpiCommands("slurm=srun", this_host="here", is_root=True, environ=environ))
    ranks = job(ranks_per_node=2, gpus_per_rank=1)
    assert "/bin/sh" in srun.start_of(ranks, GPUS).argv
    assert "env" not in srun.start_of(ranks, GPUS).argv
    no = job(ranks_per_node=2, gpus_per_rank=1, environ={"BALSAM_GPUS_PER_RANK": "0"})
    assert "/bin/sh" not in srun.start_of(no, GPUS).argv
    assert "/bin/sh" not in srun.start_of(job(), GPUS).argv


def test_ranks_without_gpus_cannot_be_shown_their_own() -> None:
    asked = job(ranks_per_node=2, environ={"BALSAM_GPUS_PER_RANK": "1"})
    with pytest.raises(JobStartError, match="the job has none"):
        JobCommands("mpi", MPICH).start_of(asked, HERE)


def test_with_an_mpi_even_a_single_rank_is_started_by_it() -> None:
    start = JobCommands("mpi", MPICH).start_of(job(), HERE)
    assert start.argv == ["/opt/mpiexec", "-n", "1", "-ppn", "1", "app", "-x", "a b"]


def test_ranks_are_started_on_the_nodes_of_the_placement() -> None:
    start = JobCommands("mpi", MPICH).start_of(job(num_nodes=2, ranks_per_node=3, mpi_flags="-v"), TWO_NODES)
    assert start.argv[:9] == ["/opt/mpiexec", "-n", "6", "-ppn", "3", "-hosts", "n1,n2", "-v", "app"]


def test_the_envscript_is_sourced_before_the_mpi_launcher() -> None:
    start = JobCommands("mpi", MPICH).start_of(job(envscript="~/env.sh", ranks_per_node=2), HERE)
    assert start.argv[0] == "bash" and start.argv[4].endswith("/env.sh") and "~" not in start.argv[4]
    assert start.argv[5:8] == ["/opt/mpiexec", "-n", "2"]


def test_what_the_mpi_launcher_needs_is_in_the_environment() -> None:
    openmpi = MpiCommands("openmpi=mpirun", this_host="here", is_root=True)
    start = JobCommands("mpi", openmpi).start_of(job(num_nodes=2), TWO_NODES)
    assert start.environ["OMPI_ALLOW_RUN_AS_ROOT"] == "1"
    assert start.argv[start.argv.index("-x") :][:2] == ["-x", "A"]


def test_without_an_mpi_a_single_rank_runs_and_several_are_refused() -> None:
    commands = JobCommands("mpi")
    assert commands.start_of(job(), HERE).argv == ["app", "-x", "a b"]
    with pytest.raises(JobStartError, match="`pip install mpich`"):
        commands.start_of(job(ranks_per_node=2), HERE)


def test_serial_mode_refuses_several_ranks() -> None:
    with pytest.raises(JobStartError, match="--job-mode mpi"):
        JobCommands("serial").start_of(job(num_nodes=2), TWO_NODES)


def test_a_problem_found_at_the_claim_is_the_reason() -> None:
    with pytest.raises(JobStartError, match="No application"):
        JobCommands("serial").start_of(job(problem="No application 'x'."), HERE)
