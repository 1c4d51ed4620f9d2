"""What a worker is told when it is started: one line of JSON on its standard input.

The secret of the launch travels nowhere else: no argument and no environment variable holds it.
"""

import json
from dataclasses import asdict, dataclass, field

from balsam.exceptions import ChannelError
from balsam.launcher.channel import ChannelIdentity
from balsam.platform.nodes.node import Node

__all__ = ["WorkerSetup"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSetup:
    """The setup of one worker.

    ``environ`` overlays the worker's own environment for all jobs; ``mpirun`` names the adapter that starts
    parallel jobs, or is empty where no MPI is installed.
    """

    #: Interface and port of the head.
    address: tuple[str, int]
    secret: str = field(repr=False)
    instance_id: str
    session_id: int
    worker_id: int = 0
    #: "serial" or "mpi".
    mode: str
    nodes: tuple[Node, ...]
    mpirun: str = ""
    #: How jobs are shown their GPUs; see `balsam.platform.gpus`.
    gpu_kind: str = "cuda"
    #: In serial mode, lend a GPU to each job that asks for none.
    lends_gpus: bool = True
    #: Give every job its nodes to itself, whatever its packing count.
    takes_whole_nodes: bool = False
    #: What starts programs on other nodes: to ask whether they are still there.
    node_starter: str = ""
    #: Jobs that run at once; None for as many as fit.
    max_running: int | None = None
    #: The MPI launcher is told also of a run on this host alone where it is to be.
    names_hosts: bool = False
    #: Numbers of the workers that were on these nodes before: what they have left here is killed.
    former: tuple[int, ...] = ()
    environ: dict[str, str] = field(default_factory=dict)
    #: Start jobs although they may not end in the time left.
    start_unfit: bool = False
    #: Seconds between asking jobs to end and killing them, where the head does not say.
    grace_sec: float = 5.0

    @property
    def identity(self) -> ChannelIdentity:
        """What the worker proves to the head."""
        return ChannelIdentity(self.secret, self.instance_id, self.session_id)

    def to_line(self) -> str:
        """Write the setup as one line, with its line end."""
        return json.dumps(asdict(self)) + "\n"

    @classmethod
    def from_line(cls, line: str) -> "WorkerSetup":
        """Read what :meth:`to_line` wrote; raises ChannelError for anything else."""
        try:
            values = json.loads(line)
            host, port = values.pop("address")
            nodes = tuple(_node(**node) for node in values.pop("nodes"))
            former = tuple(values.pop("former"))
            return cls(address=(str(host), int(port)), nodes=nodes, former=former, **values)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            # the line itself may hold the secret: it is not shown
            raise ChannelError(
                f"The worker's setup on standard input cannot be read ({type(error).__name__}). "
                "A worker is started by `balsam launcher` of the same version, not by hand."
            ) from None


def _node(name: str, cpus: list[int], gpus: list[str], memory_mb: int) -> Node:
    return Node(name, tuple(cpus), tuple(gpus), memory_mb)
