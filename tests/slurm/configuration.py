"""Configuration of an emulated Slurm: the text of its files, and ports that nobody uses."""

import socket
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ClusterShape", "accounting_configuration", "cluster_configuration", "free_ports"]


@dataclass(frozen=True, slots=True)
class ClusterShape:
    """What the emulated cluster has."""

    num_nodes: int = 4
    cpus_per_node: int = 4
    memory_mb: int = 4000
    #: Between SIGTERM and SIGKILL of a cancelled job.
    kill_wait_sec: int = 3

    @property
    def node_names(self) -> tuple[str, ...]:
        """n1, n2, …"""
        return tuple(f"n{number}" for number in range(1, self.num_nodes + 1))


def free_ports(count: int) -> list[int]:
    """Find so many ports of this host that are free now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for sock in sockets:
            sock.bind(("127.0.0.1", 0))
        return [sock.getsockname()[1] for sock in sockets]
    finally:
        for sock in sockets:
            sock.close()


def cluster_configuration(base: Path, shape: ClusterShape, ports: list[int], accounting_port: int) -> str:
    """Text of slurm.conf; the first port is the controller's, the others are the nodes'."""
    accounting = _WITH_ACCOUNTING.format(base=base, port=accounting_port) if accounting_port else _WITHOUT
    host = socket.gethostname().split(".")[0]
    nodes = [
        f"NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs={shape.cpus_per_node} "
        f"RealMemory={shape.memory_mb} State=UNKNOWN\n"
        for name, port in zip(shape.node_names, ports[1:], strict=True)
    ]
    return (
        _CLUSTER.format(
            base=base,
            host=host,
            port=ports[0],
            kill_wait_sec=shape.kill_wait_sec,
            accounting=accounting,
        )
        + "".join(nodes)
        + _PARTITIONS
    )


def accounting_configuration(base: Path, port: int, database_port: int) -> str:
    """Text of slurmdbd.conf."""
    return _ACCOUNTING.format(base=base, port=port, database_port=database_port)


_CLUSTER = """\
ClusterName=balsamtest
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={base}/munge/socket
CryptoType=crypto/munge
MpiDefault=pmi2
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0,bf_interval=1
ReturnToService=2
SlurmctldTimeout=30
SlurmdTimeout=5
MessageTimeout=3
TCPTimeout=1
MinJobAge=300
KillWait={kill_wait_sec}
InactiveLimit=0
JobRequeue=0
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=2
JobCompType=jobcomp/filetxt
JobCompLoc={base}/log/jobcomp
SlurmdParameters=config_overrides
LaunchParameters=disable_send_gids
StateSaveLocation={base}/state
SlurmctldPidFile={base}/pids/slurmctld
SlurmctldLogFile={base}/log/slurmctld
SlurmdPidFile={base}/pids/%n
SlurmdLogFile={base}/log/%n
SlurmdSpoolDir={base}/spool/%n
{accounting}"""

_WITHOUT = "AccountingStorageType=accounting_storage/none\n"

_WITH_ACCOUNTING = """\
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=localhost
AccountingStoragePort={port}
AccountingStoragePass={base}/munge/socket
"""

_PARTITIONS = """\
PartitionName=debug Nodes=ALL Default=YES MaxTime=60 DefaultTime=10 State=UP DefMemPerCPU=100
PartitionName=long Nodes=ALL MaxTime=INFINITE State=UP DefMemPerCPU=100
PartitionName=closed Nodes=ALL MaxTime=60 State=DOWN DefMemPerCPU=100
"""

_ACCOUNTING = """\
AuthType=auth/munge
AuthInfo=socket={base}/munge/socket
DbdHost=localhost
DbdPort={port}
SlurmUser=root
LogFile={base}/log/slurmdbd
PidFile={base}/pids/slurmdbd
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={database_port}
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm_acct_db
"""
