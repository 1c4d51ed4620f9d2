import os
import socket

import pytest

from balsam.exceptions import ConfigError, UsageError
from balsam.platform.nodes import KNOWN_TYPES, Node, NodeDescription, detect_nodes, detection, local

FOUR = {"SLURM_JOB_NODELIST": "n[0-3]"}


@pytest.mark.parametrize("detection_type", ["auto", "local", "DEFAULT", "DefaultNode"])
def test_outside_of_an_allocation_there_is_this_host(detection_type: str) -> None:
    nodes = detect_nodes(detection_type, environ={})
    assert [node.name for node in nodes] == [socket.gethostname()]
    assert nodes[0].cpus
    assert nodes[0].memory_mb > 0


def test_gpus_are_what_the_user_says() -> None:
    assert detect_nodes(environ={})[0].gpus == ()
    assert detect_nodes(gpus_per_node=3, environ={})[0].gpus == ("0", "1", "2")


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="no CPU affinity here")
def test_only_cpus_this_process_may_use_count() -> None:
    allowed = os.sched_getaffinity(0)
    one = min(allowed)
    os.sched_setaffinity(0, {one})
    try:
        assert detect_nodes(environ={})[0].cpus == (one,)
    finally:
        os.sched_setaffinity(0, allowed)


def test_cpus_are_counted_where_there_is_no_affinity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    assert detect_nodes(environ={})[0].cpus == (0, 1, 2)


@pytest.mark.parametrize(
    ("limit", "offset", "names"),
    [(0, 0, "n0 n1 n2 n3"), (2, 0, "n0 n1"), (2, 1, "n1 n2"), (0, 3, "n3"), (9, 2, "n2 n3")],
)
def test_slice_of_the_allocation(limit: int, offset: int, names: str) -> None:
    nodes = detect_nodes(limit=limit, offset=offset, environ=FOUR)
    assert " ".join(node.name for node in nodes) == names


def test_empty_slice_is_refused_with_what_there_is() -> None:
    with pytest.raises(UsageError, match=r"has 4 .*skips 4.*offset below 4"):
        detect_nodes(offset=4, environ=FOUR)


def test_negative_numbers_are_refused() -> None:
    with pytest.raises(UsageError, match="negative"):
        detect_nodes(limit=-1)


def test_unknown_type_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"'Jupiter' is not known.*settings.json.*auto, local.*THETA"):
        detect_nodes("Jupiter")


def test_misspelt_type_gets_a_proposal() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'DEFAULT'"):
        detect_nodes("DEFALT")


def test_a_blue_gene_is_known_and_refused() -> None:
    with pytest.raises(ConfigError, match=r"BGQ is known, but .* not supported"):
        detect_nodes("BGQ", environ=FOUR)


def test_every_known_type_has_its_detector() -> None:
    for detection_type in KNOWN_TYPES:
        assert callable(detection._detector(detection_type, {}))


def test_node_needs_a_cpu_and_distinct_names() -> None:
    with pytest.raises(ValueError, match="has no CPU"):
        Node("n0", ())
    with pytest.raises(ValueError, match="names a GPU twice"):
        Node("n0", (0,), ("0", "0"))


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process runs on n0, and may use CPUs 4 to 7 of it."""
    monkeypatch.setattr(local, "_usable_cpus", lambda: (4, 5, 6, 7))
    monkeypatch.setattr(socket, "gethostname", lambda: "n0.cluster")


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("told", "described", "cpus_here", "cpus_there"),
    [
        ("", (), (4, 5, 6, 7), (4, 5, 6, 7)),
        ("2(x4)", (), (4, 5), (4, 5)),
        ("8(x4)", (), (4, 5, 6, 7), tuple(range(8))),
        ("", (6, 0, 7), (6, 7), (6, 0, 7)),
        ("2(x4)", (6, 0, 7), (6, 7), (6, 0)),
        ("256(x4)", (6, 0, 7), (6, 7), (6, 0, 7)),
        ("", (80, 81), (4, 5, 6, 7), (80, 81)),
    ],
)
def test_cpus_come_from_description_scheduler_and_this_host(
    told: str, described: tuple[int, ...], cpus_here: tuple[int, ...], cpus_there: tuple[int, ...]
) -> None:
    environ = {**FOUR, "SLURM_JOB_CPUS_PER_NODE": told}
    nodes = detect_nodes(environ=environ, description=NodeDescription(cpus=described))
    assert nodes[0].cpus == cpus_here
    assert {node.cpus for node in nodes[1:]} == {cpus_there}


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("wanted", "told", "mask", "described", "gpus"),
    [
        (0, "", "", "3 2 1 0", "3 2 1 0"),
        (2, "", "", "3 2 1 0", "3 2"),
        (6, "", "", "3 2 1 0", "0 1 2 3 4 5"),
        (0, "4", "", "", "0 1 2 3"),
        (1, "4", "", "", "0"),
        (0, "", "2,3", "", ""),
        (2, "", "2,3", "", "2 3"),
        (0, "", "2,3", "3 2 1 0", "3 2"),
        (0, "", "NoDevFiles", "3 2 1 0", ""),
        (0, "", "MIG-a, MIG-b", "0 1", "MIG-a MIG-b"),
        (0, "", "1", "0.0 0.1 1.0 1.1", "1.0 1.1"),
    ],
)
def test_gpus_come_from_user_scheduler_mask_and_description(
    wanted: int, told: str, mask: str, described: str, gpus: str
) -> None:
    environ = {**FOUR, "SLURM_GPUS_ON_NODE": told, "CUDA_VISIBLE_DEVICES": mask}
    description = NodeDescription(gpus=tuple(described.split()))
    nodes = detect_nodes(environ=environ, gpus_per_node=wanted, description=description)
    assert {node.gpus for node in nodes} == {tuple(gpus.split())}


@pytest.mark.usefixtures("here")
def test_memory_is_the_least_that_is_told() -> None:
    environ = {**FOUR, "SLURM_MEM_PER_NODE": "100"}
    assert {node.memory_mb for node in detect_nodes(environ=environ)} == {100}
    described = NodeDescription(memory_mb=50)
    nodes = detect_nodes(environ=environ, description=described)
    assert [node.memory_mb for node in nodes] == [100, 50, 50, 50]


def test_memory_of_nodes_that_are_unlike_this_host_is_unknown() -> None:
    assert {node.memory_mb for node in detect_nodes(environ={"COBALT_PARTNAME": "1-4"})} == {0}
