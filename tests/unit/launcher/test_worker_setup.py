import pytest

from balsam.exceptions import ChannelError
from balsam.launcher.worker_setup import WorkerSetup
from balsam.platform.nodes.node import Node

SETUP = WorkerSetup(
    address=("127.0.0.1", 4711),
    secret="s3cret",
    instance_id="db-1",
    session_id=7,
    worker_id=2,
    mode="serial",
    nodes=(Node("here", (0, 1), ("0",), 512),),
    environ={"BALSAM_JOB_MODE": "serial"},
    gpu_kind="rocm",
    lends_gpus=False,
    takes_whole_nodes=True,
)


def test_a_setup_survives_its_line() -> None:
    line = SETUP.to_line()
    assert line.count("\n") == 1
    assert WorkerSetup.from_line(line) == SETUP


def test_the_secret_is_not_shown() -> None:
    assert "s3cret" not in repr(SETUP)


@pytest.mark.parametrize(
    "line", ["", "s3cret", "[]", "{}", '{"address": 3}', SETUP.to_line()[:-2] + ', "x": 1}']
)
def test_a_line_that_is_no_setup_is_refused_and_not_shown(line: str) -> None:
    with pytest.raises(ChannelError, match="started by `balsam launcher`") as caught:
        WorkerSetup.from_line(line)
    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is None
