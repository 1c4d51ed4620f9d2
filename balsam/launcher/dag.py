"""The scripting interface: the job a process runs in, and the jobs, edges and applications around it.

What depends on the environment (`current_job`, `parents`, `TIMEOUT` …) is looked up when it is asked for, so
importing this module contacts no database and runs no command.
"""

import uuid
from collections.abc import Iterable, Mapping
from typing import Any, Final

from balsam.config.known_databases import known_databases
from balsam.core import batch_jobs, cloning, context, dependencies, killing, premises, scripting
from balsam.core.active import active_db_path
from balsam.core.models import ApplicationDefinition, BalsamJob, QueuedLaunch
from balsam.core.models.query import JobQuerySet
from balsam.exceptions import NoDatabaseError

__all__ = [
    "ERROR",
    "JOB_ID",
    "LAUNCHER_NODES",
    "TIMEOUT",
    "BalsamJob",
    "add_app",
    "add_dependency",
    "add_job",
    "children",
    "clone",
    "current_job",
    "detect_circular",
    "get_active_database",
    "get_apps",
    "get_database_paths",
    "kill",
    "parents",
    "spawn_child",
    "submit",
    "wf_from_template",
]

#: A job, its id, the text of its id, or a query that matches one job.
JobLike = BalsamJob | uuid.UUID | str | JobQuerySet

#: Id of the job this process runs in, or ''.
JOB_ID: uuid.UUID | str
#: The process is a postprocess hook that handles the job's timeout.
TIMEOUT: bool
#: The process is a postprocess hook that handles the job's error.
ERROR: bool
#: The job this process runs in, or None. Always the same object, so changes of it can be saved.
current_job: BalsamJob | None
#: The jobs that the current job depends on, in order of creation, or None outside of a job.
parents: JobQuerySet | None
#: The jobs that depend on the current job, in order of creation, or None outside of a job.
children: JobQuerySet | None
#: Number of nodes the launcher runs on, as text; 1 outside of a launcher.
LAUNCHER_NODES: str | int

_ATTRIBUTES: Final = context.Attributes()


def __getattr__(name: str) -> Any:
    return _ATTRIBUTES.get(name)


def add_job(
    name: str,
    workflow: str,
    application: str,
    description: str = "",
    args: str = "",
    mpi_flags: str = "",
    num_nodes: int = 1,
    ranks_per_node: int = 1,
    cpu_affinity: str = "depth",
    threads_per_rank: int = 1,
    threads_per_core: int = 1,
    environ_vars: Mapping[str, str] | str | None = None,
    data: dict[str, Any] | None = None,
    save: bool = True,
    **kwargs: Any,
) -> BalsamJob:
    """Make a job, save it unless ``save`` is false, and return it.

    Other fields of `BalsamJob` are taken as keywords; ``parents`` is a list of jobs or ids, and a job with
    parents is never visible without them. Inside a job, the new one joins its batch job.

    Raises UnknownFieldError (a ValueError) for what is no field, ApplicationDefinition.DoesNotExist for
    an unknown application, UsageError for an impossible value; then nothing is saved.
    """
    fields = {
        "name": name,
        "workflow": workflow,
        "application": application,
        "description": description,
        "args": args,
        "mpi_flags": mpi_flags,
        "num_nodes": num_nodes,
        "ranks_per_node": ranks_per_node,
        "cpu_affinity": cpu_affinity,
        "threads_per_rank": threads_per_rank,
        "threads_per_core": threads_per_core,
        "environ_vars": environ_vars or {},
        "data": {} if data is None else data,
    }
    return scripting.add_job({**fields, **kwargs}, near=_ATTRIBUTES.current_job(), is_saved=save)


def add_dependency(parent: JobLike, child: JobLike) -> None:
    """Let ``child`` wait for ``parent``.

    Raises DuplicateEdgeError (a RuntimeError) when it does already, InvalidParentsError for an unknown job,
    CycleError when the child comes before the parent.
    """
    dependencies.add_dependency(parent, child)


def spawn_child(*, clone: bool = True, **fields: Any) -> BalsamJob:
    """Save and return a child of the current job: a clone of it but for ``fields``.

    The child waits for the current job and its parents; its workflow is the current one's unless told.
    With ``clone=False`` it takes over nothing else, and waits for the current job alone. Raises NotInJobError
    (a RuntimeError) outside of a job, UnknownFieldError (a ValueError) for a name that is no field.
    """
    return cloning.spawn_child(_ATTRIBUTES.require_current_job(), fields, is_clone=clone)


def clone(job: BalsamJob, **fields: Any) -> BalsamJob:
    """Return a copy of ``job`` with other ``fields`` and its own id, CREATED and not saved.

    Its parents are those of ``job``, and its data a copy. Raises UnknownFieldError (a ValueError) for a name
    that is no field.
    """
    return cloning.clone(job, fields)


def kill(job: JobLike, recursive: bool = True) -> list[uuid.UUID]:
    """Kill a job, and everything below it unless ``recursive`` is false; return the ids of those killed.

    Jobs that have ended stay as they are. A launcher that runs one stops it at once.
    """
    return killing.kill_tree(dependencies.job_id_of(job), recursive=recursive)


def detect_circular(job: JobLike) -> bool:
    """Say whether a job comes before itself. Edges that would make it so are refused, so the answer is no."""
    return dependencies.is_in_cycle(dependencies.job_id_of(job))


def wf_from_template(source_wf: str, new_wf: str, **overrides: Mapping[str, Any]) -> JobQuerySet:
    """Copy the workflow ``source_wf`` with its edges to a new one, and return the jobs of that.

    ``overrides`` are fields by job name: ``wf_from_template("a", "b", prepare={"args": "--fast"})``. Raises
    NotFoundError without source, ConflictError if the target exists, UsageError for names that are not
    unique.
    """
    return cloning.clone_workflow(source_wf, new_wf, overrides)


def add_app(
    name: str,
    executable: str,
    description: str = "",
    envscript: str = "",
    preprocess: str = "",
    postprocess: str = "",
    checkexe: bool = False,
) -> ApplicationDefinition:
    """Define an application, or redefine the one of that name; print which, and return it.

    With ``checkexe``, raises UsageError when the executable is no file that can be run.
    """
    fields = {
        "executable": executable,
        "description": description,
        "envscript": envscript,
        "preprocess": preprocess,
        "postprocess": postprocess,
    }
    app, was_created = scripting.put_app(name, fields, check_executable=checkexe)
    print(f"{'Created' if was_created else 'Updated'} application {app.cute_id}")
    return app


def get_apps() -> Iterable[ApplicationDefinition]:
    """Return all applications, in order of creation."""
    return ApplicationDefinition.objects.order_by("pk")


def get_database_paths(verbose: bool = True) -> list[str]:
    """Return the directories of the known databases, sorted; with ``verbose``, print them."""
    paths = [str(path) for path in known_databases()]
    if verbose:
        print("\n".join(paths) or "No databases. Make one with `balsam init DIR`.")
    return paths


def get_active_database(verbose: bool = True) -> str:
    """Return the directory of the active database, '' if there is none; with ``verbose``, print it."""
    try:
        path = str(active_db_path())
    except NoDatabaseError:
        path = ""
    if verbose:
        print(path or "No database is active.")
    return path


def submit(
    project: str = "datascience",
    queue: str = "debug-flat-quad",
    nodes: int = 1,
    wall_minutes: int = 30,
    job_mode: str = "mpi",
    wf_filter: str = "",
) -> QueuedLaunch:
    """Ask the scheduler for nodes on which a launcher runs the jobs, as `balsam submit-launch` does.

    Raises UsageError for a bad request, RefusedError where the database is on another machine, BalsamError
    with the scheduler's words when it refuses.
    """
    from balsam.batch import open_desk, submit_request  # not at import: jobs import this module, too
    from balsam.schemas.batch_jobs import BatchJobRequest

    premises.check_files_are_here()
    desk = open_desk(active_db_path())
    batch_jobs.require_workflow(wf_filter)
    request = BatchJobRequest(
        scheduler=desk.adapter.name,
        project=project,
        queue=queue,
        num_nodes=nodes,
        wall_time_min=wall_minutes,
        job_mode=job_mode,
        workflow=wf_filter,
    )
    return QueuedLaunch.objects.get(pk=submit_request(desk, request).batch_job_id)
