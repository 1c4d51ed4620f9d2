"""Hand out jobs: to launchers the runnable ones, to processing components those with a step to do."""

import json
from collections.abc import Sequence

from balsam.core import sql
from balsam.core.active import database_id
from balsam.core.environment import job_environ
from balsam.core.retrying import retrying
from balsam.core.workdirs import site_root, workdir_of
from balsam.schemas.jobs import JobSpec, ParentDir, StepSpec
from balsam.schemas.sessions import ClaimRequest, Outlook, OutlookRequest, StepClaimRequest, session_mark
from balsam.states import HOOK_STATES
from balsam.states import JobState as S


@retrying
def claim(request: ClaimRequest) -> list[JobSpec]:
    """Claim runnable jobs for a session, best first; [] when there are none or the session has ended."""
    rows = sql.fetch(
        "claim_jobs",
        session_id=request.session_id,
        limit=request.limit,
        workflow=request.workflow,
        max_nodes=request.max_nodes,
        max_wall_time_min=request.max_wall_time_min,
        serial_only=request.serial_only,
        exclude=list(request.exclude),
    )
    root, mark = site_root(), session_mark(database_id(), request.session_id)
    specs = [(row[1], _job_spec(row, root, mark)) for row in rows]
    return [spec for _, spec in sorted(specs, key=lambda pair: _rank(*pair))]


def _rank(number: int, spec: JobSpec) -> tuple[int, int, int, int]:
    return -spec.priority, -spec.num_nodes, -spec.wall_time_min, number


def _job_spec(row: tuple[object, ...], root: str, mark: str) -> JobSpec:
    (job_id, _, name, workflow, attempt, application, args, executable, envscript, user_workdir, environ_vars,
     num_nodes, ranks, threads, per_core, affinity, gpus, memory, packing, mpi_flags, wall_min, priority,
     parent_ids) = row  # fmt: skip
    environ = job_environ(
        job_id=str(job_id),
        environ_vars=json.loads(str(environ_vars)),
        threads_per_rank=_int(threads),
        parent_ids=_strings(parent_ids),
    )
    environ["BALSAM_SESSION"] = mark
    return JobSpec(
        job_id=str(job_id),
        name=str(name),
        attempt=_int(attempt) + 1,
        command=f"{executable or ''} {args}".strip(),
        problem=application_problem(str(application), executable),
        envscript=str(envscript or ""),
        workdir=workdir_of(str(job_id), str(name), str(workflow), str(user_workdir), root),
        environ=environ,
        num_nodes=_int(num_nodes),
        ranks_per_node=_int(ranks),
        threads_per_rank=_int(threads),
        threads_per_core=_int(per_core),
        cpu_affinity=str(affinity),
        gpus_per_rank=float(str(gpus)),
        memory_mb_per_node=_int(memory),
        node_packing_count=_int(packing),
        mpi_flags=str(mpi_flags),
        wall_time_min=_int(wall_min),
        priority=_int(priority),
    )


def application_problem(application: str, executable: object) -> str:
    """Say why a job of this application cannot start, or return ''."""
    if not application:
        return "The job names no application. Set one: `balsam modify ID application NAME`."
    if executable is None:
        return (
            f"There is no application named {application!r}. "
            f"Add it with `balsam app --name {application} --executable …`."
        )
    if not str(executable).strip():
        return (
            f"The application {application!r} has no executable. "
            f"Set one: `balsam modify {application} executable PATH --type apps`."
        )
    return ""


@retrying
def claim_steps(request: StepClaimRequest) -> list[StepSpec]:
    """Claim jobs whose next step is a hook or staging, oldest first."""
    rows = sql.fetch(
        "claim_steps",
        session_id=request.session_id,
        limit=request.limit,
        workflow=request.workflow,
        states=[state.value for state in request.states or HOOK_STATES],
    )
    root, mark = site_root(), session_mark(database_id(), request.session_id)
    return [_step_spec(row, root, mark) for row in sorted(rows, key=lambda row: _int(row[1]))]


def _step_spec(row: tuple[object, ...], root: str, mark: str) -> StepSpec:
    (job_id, _, name, workflow, state, attempt, application, app_id, preprocess, postprocess, user_workdir,
     environ_vars, threads, on_error, on_timeout, url_in, url_out, files_out, input_files,
     parents) = row  # fmt: skip
    parent_rows: Sequence[Sequence[str]] = parents if isinstance(parents, list) else []
    environ = job_environ(
        job_id=str(job_id),
        environ_vars=json.loads(str(environ_vars)),
        threads_per_rank=_int(threads),
        parent_ids=[parent[0] for parent in parent_rows],
        timeout=state == S.RUN_TIMEOUT,
        error=state == S.RUN_ERROR,
    )
    environ["BALSAM_SESSION"] = mark
    return StepSpec(
        job_id=str(job_id),
        name=str(name),
        state=S(str(state)),
        attempt=_int(attempt),
        workdir=workdir_of(str(job_id), str(name), str(workflow), str(user_workdir), root),
        environ=environ,
        problem="" if app_id is not None else application_problem(str(application), None),
        preprocess=str(preprocess or ""),
        postprocess=str(postprocess or ""),
        post_error_handler=bool(on_error),
        post_timeout_handler=bool(on_timeout),
        stage_in_url=str(url_in),
        stage_out_url=str(url_out),
        stage_out_files=str(files_out),
        input_files=str(input_files),
        parents=tuple(ParentDir(p[0], workdir_of(p[0], p[1], p[2], p[3], root)) for p in parent_rows),
    )


def _int(value: object) -> int:
    return int(value)  # type: ignore[call-overload,no-any-return]


def _strings(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []


@retrying
def outlook(request: OutlookRequest) -> Outlook:
    """Count what is left to do, as far as it matters to one launcher. Reads only open jobs."""
    row = sql.fetch(
        "outlook",
        session_id=request.session_id,
        workflow=request.workflow,
        max_nodes=request.max_nodes,
        max_wall_time_min=request.max_wall_time_min,
        serial_only=request.serial_only,
        exclude=list(request.exclude),
    )[0]
    return Outlook(*(_int(count) for count in row))


@retrying
def lost(session_id: int, job_ids: Sequence[str]) -> list[str]:
    """Return those of these jobs that the session no longer holds: killed, deleted, reset or taken over."""
    return [str(job_id) for (job_id,) in sql.fetch("lost_jobs", session_id=session_id, ids=list(job_ids))]


@retrying
def revoked_steps(session_id: int, job_ids: Sequence[str]) -> list[str]:
    """Return those of these jobs whose hook or staging is to end: killed, deleted, reset or taken over.

    One that its own hook has moved is left out, so that the hook can finish.
    """
    return [str(job_id) for (job_id,) in sql.fetch("revoked_steps", session_id=session_id, ids=list(job_ids))]
