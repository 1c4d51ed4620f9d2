"""Which rank a process is."""

import pytest

from balsam.api.ranks import rank_of
from balsam.exceptions import UsageError


@pytest.mark.parametrize(
    ("environ", "rank"),
    [
        ({"PMI_RANK": "3", "SLURM_PROCID": "0"}, 3),
        ({"OMPI_COMM_WORLD_RANK": "2"}, 2),
        ({"SLURM_PROCID": "5"}, 5),
    ],
)
def test_inner_launcher_says_the_rank(environ: dict[str, str], rank: int):
    assert rank_of(8, environ) == rank


def test_only_rank_is_the_first_whatever_is_inherited():
    assert rank_of(1, {"SLURM_PROCID": "7"}) == 0


def test_unknown_rank_is_an_error():
    with pytest.raises(UsageError, match="4 ranks"):
        rank_of(4, {})
