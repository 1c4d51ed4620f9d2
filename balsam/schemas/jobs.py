"""What a launcher and a processing component are told of a job, and what they report of it.

Times that cross a process border are *ages* in seconds (how long ago it happened, by the reporter's
monotonic clock): the database clock dates them, so skewed node clocks never enter the history.
"""

from dataclasses import dataclass, field
from typing import Any

from balsam.states import JobState

__all__ = ["AppCode", "JobReport", "JobSpec", "ParentDir", "Step", "StepResult", "StepSpec"]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSpec:
    """One start of a job, as claimed by a launcher.

    ``environ`` overlays the launcher's own environment. ``problem`` is empty, or says why the job cannot
    start (no such application, no command): the launcher reports it as the job's error.
    """

    job_id: str
    name: str
    #: The number this start will have: 1 for the first.
    attempt: int
    command: str
    problem: str = ""
    #: A file to source in bash before the command, or empty.
    envscript: str = ""
    workdir: str
    environ: dict[str, str] = field(default_factory=dict)
    num_nodes: int = 1
    ranks_per_node: int = 1
    threads_per_rank: int = 1
    threads_per_core: int = 1
    cpu_affinity: str = "none"
    gpus_per_rank: float = 0.0
    memory_mb_per_node: int = 0
    node_packing_count: int = 1
    mpi_flags: str = ""
    #: How long the job is expected to run.
    wall_time_min: int = 1
    priority: int = 0
    #: File in the working directory for stdout and stderr; '': after the name.
    output: str = ""
    #: The application whose Python method is run, and its version; 0: a command is run.
    app_id: int = 0
    app_version: int = 0
    #: The job as its Python method sees it: the record of the resource.
    record: dict[str, Any] = field(default_factory=dict)

    @property
    def num_ranks(self) -> int:
        """Ranks over all nodes."""
        return self.num_nodes * self.ranks_per_node

    @property
    def cores_per_node(self) -> int:
        """Physical cores the job asks for on each of its nodes, at least 1."""
        return max(1, self.ranks_per_node * self.threads_per_rank // self.threads_per_core)

    @property
    def output_name(self) -> str:
        """File name in the working directory that receives stdout and stderr."""
        return self.output or output_name(self.name)


def output_name(job_name: str) -> str:
    """Name the output file of a job: ``<name>.out``, with what a file name cannot hold replaced."""
    return (job_name.replace("/", "_").replace("\0", "_") or "job") + ".out"


@dataclass(frozen=True, slots=True, kw_only=True)
class AppCode:
    """What it takes to run a Python application; its class is read by the processes of its jobs alone."""

    app_id: int
    version: int
    name: str
    site_id: int
    #: The class as text; '' for one that is kept in a file.
    serialized_class: str = ""
    #: ``module.Class`` in a file of the directory ``apps_dir``.
    class_path: str = ""
    apps_dir: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One state a job entered, ``age_sec`` ago."""

    state: JobState
    age_sec: float = 0.0
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobReport:
    """What became of one claimed job.

    ``steps`` in order of time; a start and its end may come in one report. Empty steps give the job back
    unstarted, with ``message`` as the reason. A report is refused as a late result when the session no
    longer holds the job or ``attempt`` is not the job's current one.
    """

    job_id: str
    attempt: int
    steps: tuple[Step, ...] = ()
    return_code: int | None = None
    message: str = ""
    #: What a Python application returned or raised, as text; None for any other, '' where it left neither.
    value: str | None = None
    exception: str | None = None


@dataclass(frozen=True, slots=True)
class ParentDir:
    """A parent whose files may be linked into a child."""

    job_id: str
    workdir: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSpec:
    """A job whose next step is a hook or staging, as claimed by a processing component."""

    job_id: str
    name: str
    state: JobState
    attempt: int
    workdir: str
    #: Overlay of the processing component's own environment; handlers' flags are already in it.
    environ: dict[str, str] = field(default_factory=dict)
    #: Why no step can be done (no such application), or empty.
    problem: str = ""
    preprocess: str = ""
    postprocess: str = ""
    post_error_handler: bool = False
    post_timeout_handler: bool = False
    input_files: str = ""
    #: In order of creation.
    parents: tuple[ParentDir, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """The state a step leads to, with the reason where there is one to tell.

    Applied only if the job is still in ``from_state`` and held by the reporting session: a hook that moved
    its own job keeps the state it chose. The same state twice hands the job back, its step not done.
    """

    job_id: str
    from_state: JobState
    to_state: JobState
    message: str = ""
