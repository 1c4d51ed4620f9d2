import os
import socket

import pytest

from balsam.exceptions import ConfigError, UsageError
from balsam.platform.nodes import KNOWN_TYPES, Node, detect_nodes, detection

NODES = [Node(f"n{number}", (0, 1)) for number in range(4)]


@pytest.fixture
def four_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detection, "_detector", lambda detection_type: lambda gpus: NODES)


@pytest.mark.parametrize("detection_type", KNOWN_TYPES)
def test_every_known_type_finds_at_least_this_host(detection_type: str) -> None:
    nodes = detect_nodes(detection_type)
    assert [node.name for node in nodes] == [socket.gethostname()]
    assert nodes[0].cpus
    assert nodes[0].memory_mb > 0


def test_gpus_are_what_the_user_says() -> None:
    assert detect_nodes()[0].gpus == ()
    assert detect_nodes(gpus_per_node=3)[0].gpus == ("0", "1", "2")


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="no CPU affinity here")
def test_only_cpus_this_process_may_use_count() -> None:
    allowed = os.sched_getaffinity(0)
    one = min(allowed)
    os.sched_setaffinity(0, {one})
    try:
        assert detect_nodes()[0].cpus == (one,)
    finally:
        os.sched_setaffinity(0, allowed)


def test_cpus_are_counted_where_there_is_no_affinity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    assert detect_nodes()[0].cpus == (0, 1, 2)


@pytest.mark.usefixtures("four_nodes")
@pytest.mark.parametrize(
    ("limit", "offset", "names"),
    [(0, 0, "n0 n1 n2 n3"), (2, 0, "n0 n1"), (2, 1, "n1 n2"), (0, 3, "n3"), (9, 2, "n2 n3")],
)
def test_slice_of_the_allocation(limit: int, offset: int, names: str) -> None:
    assert " ".join(node.name for node in detect_nodes(limit=limit, offset=offset)) == names


@pytest.mark.usefixtures("four_nodes")
def test_empty_slice_is_refused_with_what_there_is() -> None:
    with pytest.raises(UsageError, match=r"has 4 .*skips 4.*offset below 4"):
        detect_nodes(offset=4)


def test_negative_numbers_are_refused() -> None:
    with pytest.raises(UsageError, match="negative"):
        detect_nodes(limit=-1)


def test_unknown_type_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"'THETA' is not known.*settings.json.*auto, DEFAULT"):
        detect_nodes("THETA")


def test_misspelt_type_gets_a_proposal() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'DEFAULT'"):
        detect_nodes("DEFALT")


def test_node_needs_a_cpu_and_distinct_names() -> None:
    with pytest.raises(ValueError, match="has no CPU"):
        Node("n0", ())
    with pytest.raises(ValueError, match="names a GPU twice"):
        Node("n0", (0,), ("0", "0"))
