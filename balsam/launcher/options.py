"""What a launcher is asked to do."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from balsam.schemas.sessions import Selection

__all__ = ["LauncherOptions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LauncherOptions:
    """The command line of a launcher, checked."""

    #: "serial": one worker per node runs single-rank jobs. "mpi": jobs start through the MPI launcher.
    mode: str
    #: Take only jobs whose workflow contains this; '' for all.
    workflow: str = ""
    #: Take only jobs of this site, and of these those with all of these tags.
    site_id: int = 1
    tags: Mapping[str, str] = field(default_factory=dict)
    #: Minutes until the launcher stops; None for no limit.
    time_limit_min: float | None = None
    num_transition_threads: int = 2
    gpus_per_node: int | None = None
    #: How jobs are shown their GPUs; see `balsam.platform.gpus`.
    gpu_kind: str = "cuda"
    #: Every parallel run has its nodes to itself: the MPI launcher starts no second one there.
    takes_whole_nodes: bool = False
    limit_nodes: int | None = None
    offset_nodes: int = 0
    #: Stay when nothing is left to do.
    persistent: bool = False
    #: Start jobs that are expected to need more time than is left.
    start_unfit: bool = False
    #: Seconds between asking jobs to end and killing them, where the time limit leaves that much.
    max_grace_sec: float = 8.0
    #: The MPI launcher in text form; '' where none is installed, or none is needed.
    mpirun: str = ""
    #: What starts workers on other nodes: "ssh", or an MPI launcher in text form.
    worker_launcher: str = "ssh"
    #: Name the hosts of every parallel run, also of one on this host: inside of a batch job, the MPI launcher
    #: takes all its nodes otherwise.
    names_hosts: bool = False
    #: Runs of the MPI launcher at once; None for as many as fit.
    max_concurrent: int | None = None
    #: Parallel jobs that this launcher starts in all, since a machine's MPI launcher bears no more of them in
    #: one batch job; 0 for any number.
    max_parallel_starts: int = 0
    #: Who was asked for the time limit; '' for the user.
    time_source: str = ""
    #: The batch job this launcher runs in, as its scheduler names it; '' outside of one.
    scheduler_id: str = ""
    #: Which jobs of equal priority are taken first; see `balsam.schemas.sessions.JOB_ORDERS`.
    job_order: str = "large_first"
    #: Lines of the output of a job that its error is told with.
    error_tail_lines: int = 16
    #: How long to stay, with nothing to run, for work that somebody else may make ready.
    idle_sec: float = 60.0
    #: How long to stay when there is nothing at all to do, since jobs may be added; negative: not at all.
    linger_sec: float = -1.0

    @property
    def selection(self) -> Selection:
        """Which jobs are taken."""
        return Selection(workflow=self.workflow, site_id=self.site_id, tags=self.tags)

    @property
    def time_text(self) -> str:
        """Say in words when the launcher stops, and who says so."""
        if self.time_limit_min is not None:
            return (
                f"Stops after {self.time_limit_min:.1f} min, by {self.time_source or '--time-limit-minutes'}"
            )
        if self.time_source:
            return f"No time limit: none was given, and {self.time_source} tells none"
        return "No time limit: none was given"

    @property
    def grace_sec(self) -> float:
        """Seconds that jobs get to end; at most a quarter of the time limit, so that there is time to run."""
        if self.time_limit_min is None:
            return self.max_grace_sec
        return min(self.max_grace_sec, self.time_limit_min * 60 / 4)

    @property
    def is_serial(self) -> bool:
        """Whether only single-node, single-rank jobs run."""
        return self.mode == "serial"
