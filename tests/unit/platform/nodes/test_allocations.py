"""What the environment of each batch system's jobs says of the nodes."""

from pathlib import Path

import pytest

from balsam.exceptions import ConfigError
from balsam.platform.nodes import detect_nodes
from balsam.platform.nodes.node_files import lsf_nodes
from balsam.platform.nodes.slurm import slurm_nodes


def names(detection_type: str, environ: dict[str, str]) -> str:
    return " ".join(node.name for node in detect_nodes(detection_type, environ=environ))


@pytest.mark.parametrize("detection_type", ["auto", "slurm", "SLURM", "PerlmutterNode"])
def test_slurm_tells_the_nodes_of_the_job(detection_type: str) -> None:
    environ = {"SLURM_JOB_NODELIST": "nid[001234-001236]", "SLURM_HOSTS": "other"}
    assert names(detection_type, environ) == "nid001234 nid001235 nid001236"


def test_older_slurm_templates_export_a_plain_list() -> None:
    assert names("SLURM", {"SLURM_HOSTS": "bdw-1 bdw-2\nbdw-3"}) == "bdw-1 bdw-2 bdw-3"


@pytest.mark.parametrize(
    ("text", "cpus"),
    [
        ("2(x4)", [2, 2, 2, 2]),
        ("72(x2),36,1", [72, 72, 36, 1]),
        ("2(x3)", [0, 0, 0, 0]),
        ("2(x999999999999)", [0, 0, 0, 0]),
        ("two", [0, 0, 0, 0]),
        ("", [0, 0, 0, 0]),
    ],
)
def test_slurm_tells_the_cpus_of_each_node(text: str, cpus: list[int]) -> None:
    nodes = slurm_nodes({"SLURM_JOB_NODELIST": "n[1-4]", "SLURM_JOB_CPUS_PER_NODE": text})
    assert [node.num_cpus for node in nodes] == cpus


@pytest.mark.parametrize(
    ("variable", "text", "gpus"),
    [
        ("SLURM_GPUS_ON_NODE", "4", 4),
        ("SLURM_GPUS_PER_NODE", "a100:4", 4),
        ("SLURM_GPUS_PER_NODE", "a100:3,v100:1", 4),
        ("SLURM_GPUS_PER_NODE", "many", 0),
    ],
)
def test_slurm_tells_the_gpus(variable: str, text: str, gpus: int) -> None:
    assert slurm_nodes({"SLURM_JOB_NODELIST": "n1", variable: text})[0].num_gpus == gpus


@pytest.mark.parametrize(
    ("environ", "memory_mb"),
    [
        ({"SLURM_MEM_PER_NODE": "2000"}, 2000),
        ({"SLURM_MEM_PER_NODE": "0"}, 0),
        ({"SLURM_MEM_PER_CPU": "500", "SLURM_JOB_CPUS_PER_NODE": "4"}, 2000),
        ({"SLURM_MEM_PER_CPU": "500"}, 0),
        ({}, 0),
    ],
)
def test_slurm_tells_the_memory(environ: dict[str, str], memory_mb: int) -> None:
    assert slurm_nodes({"SLURM_JOB_NODELIST": "n1", **environ})[0].memory_mb == memory_mb


def test_a_garbled_list_of_slurm_is_named() -> None:
    with pytest.raises(ConfigError, match=r"SLURM_JOB_NODELIST cannot be read: .*n\[1-"):
        detect_nodes(environ={"SLURM_JOB_NODELIST": "n[1-"})


@pytest.mark.parametrize("detection_type", ["auto", "pbs", "PolarisNode", "AuroraNode"])
@pytest.mark.parametrize("text", ["x1.site\nx1.site\nx2.site\n", "x1.site,x2.site"])
def test_pbs_lists_a_node_for_each_process(tmp_path: Path, detection_type: str, text: str) -> None:
    (tmp_path / "nodes").write_text(text)
    assert names(detection_type, {"PBS_NODEFILE": str(tmp_path / "nodes")}) == "x1.site x2.site"


@pytest.mark.parametrize("detection_type", ["auto", "COOLEY", "THETA_GPU", "ThetaGPUNode"])
@pytest.mark.parametrize("text", ["cc001.cooley\ncc002.cooley\n", "cc001,cc002"])
def test_cobalt_lists_nodes_in_a_file(tmp_path: Path, detection_type: str, text: str) -> None:
    (tmp_path / "nodes").write_text(text)
    environ = {"COBALT_NODEFILE": str(tmp_path / "nodes"), "COBALT_PARTNAME": "1-2"}
    assert names(detection_type, environ) == "cc001 cc002"


@pytest.mark.parametrize("detection_type", ["auto", "THETA", "ThetaKNLNode"])
def test_theta_names_nodes_by_number(detection_type: str) -> None:
    environ = {"COBALT_PARTNAME": "1001-1003,1030,7"}
    assert names(detection_type, environ) == "nid01001 nid01002 nid01003 nid01030 nid00007"


def test_a_partition_that_is_no_list_of_numbers_is_named() -> None:
    with pytest.raises(ConfigError, match=r"COBALT_PARTNAME is 'thetagpu01', and 'thetagpu01' is neither"):
        detect_nodes("THETA", environ={"COBALT_PARTNAME": "thetagpu01"})


def test_lsf_lists_a_node_for_each_slot(tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("batch2\n" + "a01n01\n" * 42 + "a01n02\n" * 42)
    environ = {"LSB_DJOB_HOSTFILE": str(tmp_path / "hosts")}
    assert names("auto", environ) == names("SummitNode", environ) == "a01n01 a01n02"
    assert [node.num_cpus for node in lsf_nodes(environ)] == [42, 42]


def test_lsf_lists_nodes_in_a_variable() -> None:
    nodes = lsf_nodes({"LSB_MCPU_HOSTS": "login1 1 h1 4 h2 8"})
    assert [(node.name, node.num_cpus) for node in nodes] == [("h1", 4), ("h2", 8)]


def test_a_lone_batch_node_is_used() -> None:
    assert [node.name for node in lsf_nodes({"LSB_MCPU_HOSTS": "batch1 4"})] == ["batch1"]


@pytest.mark.parametrize(
    ("detection_type", "variable"),
    [
        ("slurm", "SLURM_JOB_NODELIST"),
        ("pbs", "PBS_NODEFILE"),
        ("COOLEY", "COBALT_NODEFILE"),
        ("THETA", "COBALT_PARTNAME"),
        ("lsf", "LSB_DJOB_HOSTFILE"),
    ],
)
def test_outside_of_its_allocation_the_variable_is_named(detection_type: str, variable: str) -> None:
    with pytest.raises(ConfigError, match=f"there is no {variable}.*submit-launch.*auto"):
        detect_nodes(detection_type, environ={})


def test_a_file_of_nodes_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"PBS_NODEFILE names {tmp_path}/gone, .*No such file"):
        detect_nodes(environ={"PBS_NODEFILE": str(tmp_path / "gone")})


def test_an_empty_file_of_nodes_is_named(tmp_path: Path) -> None:
    (tmp_path / "nodes").write_text("\n")
    with pytest.raises(ConfigError, match="nodes, which PBS_NODEFILE names, is empty"):
        detect_nodes(environ={"PBS_NODEFILE": str(tmp_path / "nodes")})
