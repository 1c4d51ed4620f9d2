"""Hand out jobs: to launchers the runnable ones, to processing components those with a step to do."""

import json
from collections.abc import Sequence
from typing import Any

from balsam.core import sql
from balsam.core.active import database_id
from balsam.core.environment import job_environ
from balsam.core.retrying import retrying
from balsam.core.workdirs import site_root, workdir_of
from balsam.exceptions import UsageError
from balsam.schemas.jobs import JobSpec, ParentDir, StepSpec
from balsam.schemas.sessions import (
    ClaimBounds,
    ClaimRequest,
    Outlook,
    OutlookRequest,
    Selection,
    StepClaimRequest,
    session_mark,
)
from balsam.states import STEP_STATES
from balsam.states import JobState as S


@retrying
def claim(request: ClaimRequest) -> list[JobSpec]:
    """Claim runnable jobs for a session, best first; [] when there are none or the session has ended."""
    long_first = request.order == "long_large_first"
    rows = sql.fetch(
        "claim_jobs",
        session_id=request.session_id,
        limit=request.limit,
        long_first=long_first,
        **_bounds(request),
    )
    if not rows:
        return []
    root, mark = site_root(request.site_id), session_mark(database_id(), request.session_id)
    specs = [(row[1], _job_spec(row, root, mark)) for row in rows]
    return [spec for _, spec in sorted(specs, key=lambda pair: _rank(*pair, long_first=long_first))]


def _selection(request: Selection) -> dict[str, Any]:
    return {
        "workflow": request.workflow,
        "site_id": request.site_id,
        "tags": json.dumps(dict(request.tags)),
    }


def _bounds(request: ClaimBounds) -> dict[str, Any]:
    return {
        **_selection(request),
        "max_nodes": request.max_nodes,
        "max_wall_time_min": request.max_wall_time_min,
        "serial_only": request.serial_only,
        "exclude": list(request.exclude),
    }


def _rank(number: int, spec: JobSpec, *, long_first: bool) -> tuple[int, ...]:
    first = -spec.wall_time_min if long_first else 0
    return -spec.priority, first, -spec.num_nodes, -spec.wall_time_min, number


def _job_spec(row: tuple[object, ...], root: str, mark: str) -> JobSpec:
    (job_id, _, name, workflow, attempt, application, args, executable, envscript, user_workdir, environ_vars,
     num_nodes, ranks, threads, per_core, affinity, gpus, memory, packing, mpi_flags, wall_min, priority,
     parent_ids, below_data, template, accepted, parameters, app_environ, python) = row  # fmt: skip
    environ = job_environ(
        job_id=str(job_id),
        environ_vars={**_texts(app_environ), **json.loads(str(environ_vars))},
        threads_per_rank=_int(threads),
        parent_ids=_strings(parent_ids),
    )
    environ["BALSAM_SESSION"] = mark
    if below_data:
        environ.setdefault("OMP_NUM_THREADS", str(threads))
    if template:
        command, problem = _filled_in(str(template), accepted, parameters)
    else:
        command = f"{executable or ''} {args}".strip()
        problem = application_problem(str(application), executable)
    return JobSpec(
        job_id=str(job_id),
        name=str(name or below_data),
        attempt=_int(attempt) + 1,
        command=command,
        problem=problem,
        envscript=str(envscript or ""),
        workdir=workdir_of(
            str(job_id), str(name), str(workflow), str(user_workdir), root, below_data=str(below_data)
        ),
        output="job.out" if below_data else "",
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
        **(_python(str(python)) if python else {}),
    )


def _python(text: str) -> dict[str, Any]:
    """Return what a job that runs Python has besides, with its record: it is read while it is RUNNING."""
    from balsam.core.resources.faces import job_record  # a launcher of the other face needs no resources

    found = json.loads(text)
    found["job"]["state"] = S.RUNNING.value
    record = job_record(
        found["job"],
        last_update=found["job"]["last_update"],
        app_id=found["app_id"],
        parent_ids=found["parent_ids"],
    )
    return {"app_id": found["app_id"], "app_version": found["version"], "record": record}


def _filled_in(template: str, accepted: object, parameters: object) -> tuple[str, str]:
    """Return the command line of a template with these parameters, and why there is none, or ''."""
    from balsam.lib.command_templates import render_command  # a launcher of the other face needs no jinja2

    defaults = {
        str(name): str(rule["default"])
        for name, rule in json.loads(str(accepted)).items()
        if rule.get("default") is not None
    }
    try:
        return render_command(template, {**defaults, **_texts(parameters)}), ""
    except UsageError as error:
        return "", str(error)


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
    """Claim jobs whose next step is a hook or the linking of files, oldest first."""
    rows = sql.fetch(
        "claim_steps",
        session_id=request.session_id,
        limit=request.limit,
        states=[state.value for state in request.states or STEP_STATES],
        **_selection(request),
    )
    if not rows:
        return []
    root, mark = site_root(request.site_id), session_mark(database_id(), request.session_id)
    return [_step_spec(row, root, mark) for row in sorted(rows, key=lambda row: _int(row[1]))]


def _step_spec(row: tuple[object, ...], root: str, mark: str) -> StepSpec:
    (job_id, _, name, workflow, state, attempt, application, app_id, preprocess, postprocess, user_workdir,
     environ_vars, threads, on_error, on_timeout, input_files, parents, below_data, site_id,
     app_environ) = row  # fmt: skip
    parent_rows: Sequence[Sequence[str]] = parents if isinstance(parents, list) else []
    roots = {parent[5] for parent in parent_rows}
    root_of = {site: root if site == str(site_id) else site_root(int(site)) for site in roots}
    environ = job_environ(
        job_id=str(job_id),
        environ_vars={**_texts(app_environ), **json.loads(str(environ_vars))},
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
        workdir=workdir_of(
            str(job_id), str(name), str(workflow), str(user_workdir), root, below_data=str(below_data)
        ),
        environ=environ,
        problem="" if app_id is not None else application_problem(str(application), None),
        preprocess=str(preprocess or ""),
        postprocess=str(postprocess or ""),
        post_error_handler=bool(on_error),
        post_timeout_handler=bool(on_timeout),
        input_files=str(input_files),
        parents=tuple(
            ParentDir(p[0], workdir_of(p[0], p[1], p[2], p[3], root_of[p[5]], below_data=p[4]))
            for p in parent_rows
        ),
    )


def _int(value: object) -> int:
    return int(value)  # type: ignore[call-overload,no-any-return]


def _texts(value: object) -> dict[str, str]:
    """Read a JSON object of texts; None, where there is no application, is empty."""
    return {str(k): str(v) for k, v in json.loads(str(value or "{}")).items()}


def _strings(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []


@retrying
def outlook(request: OutlookRequest) -> Outlook:
    """Count what is left to do, as far as it matters to one launcher. Reads only open jobs."""
    row = sql.fetch("outlook", session_id=request.session_id, **_bounds(request))[0]
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
