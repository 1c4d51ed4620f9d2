import pytest

from balsam.exceptions import ConfigError
from balsam.platform.gpus import GPU_KINDS, mask_variables, visible_gpus


@pytest.mark.parametrize("kind", GPU_KINDS)
def test_what_is_written_for_a_job_is_read_by_a_launcher_in_it(kind: str) -> None:
    assert visible_gpus(mask_variables(kind, ["1.0", "0.1"])) == ("1.0", "0.1")


def test_without_gpus_there_is_no_mask() -> None:
    assert mask_variables("cuda", []) == {}
    assert visible_gpus({}) is visible_gpus({"CUDA_VISIBLE_DEVICES": ""}) is None


def test_a_mask_that_hides_all_is_no_gpu() -> None:
    assert visible_gpus({"CUDA_VISIBLE_DEVICES": "NoDevFiles"}) == ()
    assert visible_gpus({"CUDA_VISIBLE_DEVICES": "-1"}) == ()


def test_an_unknown_kind_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"'opencl' is not known.*cuda, rocm, level-zero"):
        mask_variables("opencl", ["0"])
