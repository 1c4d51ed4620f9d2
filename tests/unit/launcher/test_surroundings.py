"""What a launcher knows of its nodes before it has seen them."""

import pytest

from balsam.config import UserSettings
from balsam.launcher.options import LauncherOptions
from balsam.launcher.surroundings import node_description
from balsam.platform.machines import load_machine

POLARIS = load_machine("polaris")


@pytest.mark.parametrize(
    ("mode", "cores", "stride", "cpus"),
    [
        ("serial", 4, 1, (0, 1, 2, 3)),
        ("serial", 4, 2, (0, 2, 4, 6)),
        ("serial", 0, 2, POLARIS.nodes.cpus),
        ("mpi", 4, 1, POLARIS.nodes.cpus),
    ],
)
def test_the_users_word_on_cores_counts_for_serial_jobs(
    mode: str, cores: int, stride: int, cpus: tuple[int, ...]
) -> None:
    settings = UserSettings(SERIAL_CORES_PER_NODE=cores, SERIAL_HYPERTHREAD_STRIDE=stride)
    described = node_description(LauncherOptions(mode=mode), settings, POLARIS)
    assert described.cpus == cpus
    assert described.gpus == POLARIS.nodes.gpus
