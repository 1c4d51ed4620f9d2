import subprocess

import pytest

from balsam.launcher.rank_gpus import gpu_shares, with_rank_gpus


@pytest.mark.parametrize(
    ("gpus", "num_ranks", "shares"),
    [
        ("3 2", 2, ["3", "2"]),
        ("0 1 2 3", 2, ["0,1", "2,3"]),
        ("0 1", 4, ["0", "0", "1", "1"]),
        ("0 1 2", 2, ["0", "1,2"]),
        ("0 1", 3, ["0", "0", "1"]),
        ("5.1", 3, ["5.1", "5.1", "5.1"]),
    ],
)
def test_gpus_are_dealt_evenly(gpus: str, num_ranks: int, shares: list[str]) -> None:
    assert gpu_shares(gpus.split(), num_ranks) == shares


def run(**environ: str) -> "subprocess.CompletedProcess[str]":
    argv = with_rank_gpus(
        ["/bin/sh", "-c", 'echo "$MASK" "$*"', "app", "a b", "it's"], "MASK", ["0.0", "0.1", "1.0", "1.1"], 2
    )
    return subprocess.run(argv, env={"MASK": "all", **environ}, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize(
    "variable",
    ["MPI_LOCALRANKID", "PMI_LOCAL_RANK", "PALS_LOCAL_RANKID", "OMPI_COMM_WORLD_LOCAL_RANK", "SLURM_LOCALID"],
)
@pytest.mark.parametrize(("rank", "share"), [("0", "0.0,0.1"), ("1", "1.0,1.1")])
def test_a_rank_gets_its_share_and_the_arguments(variable: str, rank: str, share: str) -> None:
    assert run(**{variable: rank}).stdout == f"{share} a b it's\n"


def test_an_inner_launcher_counts_before_the_batch_systems_own() -> None:
    assert run(SLURM_LOCALID="0", OMPI_COMM_WORLD_LOCAL_RANK="1").stdout.startswith("1.0,1.1 ")


def test_a_rank_that_does_not_know_its_number_says_so() -> None:
    done = run()
    assert done.returncode == 1
    assert "Unset BALSAM_GPUS_PER_RANK" in done.stderr


def test_the_exit_code_of_the_application_is_kept() -> None:
    argv = with_rank_gpus(["/bin/sh", "-c", "exit 7"], "MASK", ["0"], 2)
    assert subprocess.run(argv, env={"SLURM_LOCALID": "0"}, timeout=60).returncode == 7
