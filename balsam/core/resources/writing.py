"""Make and change resources: what is particular to each; checks that need the tables are made here."""

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from balsam.core import batch_jobs, inserting, sql, transitions
from balsam.core.models import (
    ApplicationDefinition,
    BalsamJob,
    JobEvent,
    QueuedLaunch,
    Session,
    Site,
    TransferItem,
)
from balsam.core.models.application import full_name
from balsam.core.models.site import FIRST_SITE
from balsam.core.owners import own_sites, require_site
from balsam.core.resources import sessions
from balsam.core.resources.faces import JOB_COLUMNS
from balsam.core.resources.lowering import handlers, is_of_sites, is_python, lower, lower_jobs
from balsam.core.resources.slots import check_slots, filled_slots
from balsam.exceptions import ConflictError, InvalidParentsError, NotAllowedError, NotFoundError, UsageError
from balsam.schemas.accounts import AccountId
from balsam.schemas.batch_jobs import BatchJobRequest
from balsam.schemas.fields import Record
from balsam.schemas.resources import RESOURCES
from balsam.states import TransferState

__all__ = ["CREATE", "UPDATE"]

#: What a new job takes over as it is told, and the columns for it.
_NEW_FIELDS = tuple(RESOURCES["job"].creatable.keys() - {"app_id", "parent_ids", "transfers"})
_NEW_COLUMNS = tuple(JOB_COLUMNS.get(name, name) for name in _NEW_FIELDS)
_values_of_new = itemgetter(*_NEW_FIELDS)
_PENDING_DELETION = "pending_deletion"


def _create_sites(caller: int | None, records: Sequence[Record]) -> list[Site]:
    if isinstance(caller, AccountId) and caller.site_id is not None:
        raise NotAllowedError(f"This login is for site {caller.site_id} alone.")
    with transaction.atomic():
        return [_saved(Site(owner_id=caller, **record), record["name"]) for record in records]


def _saved(row: Any, name: str) -> Any:
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError:
        raise ConflictError(f"There is a {type(row).__name__} named {name!r} already.") from None
    return row


def _update_site(site: Site, patch: Record) -> None:
    for name, value in patch.items():
        setattr(site, name, value)
    _saved(site, site.name)
    Site.objects.filter(pk=site.pk).update(last_refresh=Now())


def _create_apps(caller: int | None, records: Sequence[Record]) -> list[ApplicationDefinition]:
    rows = []
    with transaction.atomic():
        for record in records:
            require_site(caller, record["site_id"])
            check_slots(record["transfers"])
            name = full_name(record["name"], record["site_id"])
            python_exe = record.pop("python_exe")
            app = ApplicationDefinition(**{**record, "name": name})
            for column, value in lower(app, python_exe).items():
                setattr(app, column, value)
            rows.append(_saved(app, record["name"]))
    return rows


def _update_app(app: ApplicationDefinition, patch: Record) -> None:
    """Change an application; jobs follow a new name."""
    check_slots(patch.get("transfers") or {})
    before, had_handlers = app.name, handlers(app)
    python_exe = patch.pop("python_exe", None)
    if "name" in patch:
        patch = {**patch, "name": full_name(patch["name"], app.site_id or FIRST_SITE)}
    has_changed = _assign(app, patch)
    if is_of_sites(app):
        has_changed |= _assign(app, lower(app, python_exe))
    if not has_changed:
        return
    app.version += 1
    with transaction.atomic():
        _saved(app, app.short_name)
        if app.name != before:
            BalsamJob.objects.filter(application=before).update(application=app.name)
        if handlers(app) != had_handlers:
            lower_jobs(app)


def _assign(app: ApplicationDefinition, values: Record) -> bool:
    """Set columns; say whether that changes anything."""
    changed = {name: value for name, value in values.items() if getattr(app, name) != value}
    for name, value in changed.items():
        setattr(app, name, value)
    return bool(changed)


def _create_jobs(caller: int | None, records: Sequence[Record]) -> list[BalsamJob]:
    """Insert jobs, all or none; raises UsageError, NotFoundError, InvalidParentsError."""
    apps = {
        app.pk: app
        for app in ApplicationDefinition.objects.filter(
            pk__in={record["app_id"] for record in records}, site__in=own_sites(caller)
        ).select_related("site")
    }
    sites = Site.objects.in_bulk([app.site_id for app in apps.values() if app.site_id])
    numbers = {number for record in records for number in record["parent_ids"]}
    parents = dict(
        BalsamJob.objects.filter(number__in=numbers, site__in=own_sites(caller)).values_list(
            "number", "job_id"
        )
    )
    if missing := sorted(numbers - set(parents)):
        raise InvalidParentsError(f"There is no job {', '.join(map(str, missing))} to be a parent.")
    _refuse_shared_workdirs(records)
    jobs = [_new_job(record, apps, parents) for record in records]
    for job in {_shape(job): job for job in jobs}.values():
        require_node_for(job, sites[job.site_id or FIRST_SITE])
    inserting.insert(jobs)
    _read_what_the_database_chose(jobs)
    return jobs


def _read_what_the_database_chose(jobs: Sequence[BalsamJob]) -> None:
    """Fill in the columns that are read when somebody asks, of all jobs at once."""
    rows = sql.fetch("chosen_columns", jobs=[job.pk for job in jobs])
    for job, (number, last_update) in zip(jobs, rows, strict=True):
        if number is not None:  # one that somebody has deleted is missed later
            job.__dict__.update(number=number, last_update=last_update)


def _new_job(
    record: Record,
    apps: Mapping[int, ApplicationDefinition],
    parents: Mapping[int, Any],
) -> BalsamJob:
    app = apps.get(record["app_id"])
    if app is None:
        raise NotFoundError(f"There is no application {record['app_id']}. `balsam app ls` lists yours.")
    check_workdir(record["workdir"])
    _check_parameters(app, record["parameters"], has_serialized=bool(record["serialized_parameters"]))
    columns = dict(zip(_NEW_COLUMNS, _values_of_new(record), strict=True))
    job = BalsamJob(
        application=app.name,
        site_id=app.site_id,
        pending_file_cleanup=bool(app.cleanup_files),
        **handlers(app),
        **columns,
    )
    job._new_parents = tuple(parents[number] for number in record["parent_ids"])
    job._new_transfers = filled_slots(app, record["transfers"])
    return job


def _shape(job: BalsamJob) -> tuple[object, ...]:
    """Return all that `require_node_for` looks at."""
    return job.site_id, job.ranks_per_node, job.gpus_per_rank, job.memory_mb_per_node


def check_workdir(workdir: str) -> None:
    """Raise UsageError for a working directory that is not below the data directory of its site."""
    steps = set(workdir.split("/")) - {"", "."}
    if workdir.startswith("/") or ".." in steps or not steps:
        raise UsageError(
            f"The workdir {workdir!r} is not below the data directory of the site: give a relative path "
            "without `..`, such as demo/run1."
        )


def _check_parameters(
    app: ApplicationDefinition, parameters: Mapping[str, Any], *, has_serialized: bool
) -> None:
    """Raise UsageError for a parameter the application does not take, or one that is missing."""
    if has_serialized and not is_python(app):
        raise UsageError(
            f"{app.short_name} is a command: its parameters are texts and numbers, not other Python objects. "
            "Give str(value)."
        )
    if has_serialized:
        return
    if unknown := sorted(set(parameters) - set(app.parameters)):
        takes = ", ".join(app.parameters) or "none"
        raise UsageError(f"{app.short_name} takes no parameter {', '.join(unknown)}. It takes: {takes}.")
    required = {name for name, rule in app.parameters.items() if rule.get("required", True)}
    if missing := sorted(required - set(parameters)):
        raise UsageError(f"{app.short_name} needs the parameter {', '.join(missing)}.")


def require_node_for(job: BalsamJob, site: Site) -> None:
    """Raise UsageError for a job that needs more of a node than the nodes of its site are known to have."""
    from balsam.core.explain.fitting import beyond_node  # lists need not wait for all that these import
    from balsam.core.explain.gathering import job_needs, site_facts

    if beyond := beyond_node(job_needs(job), site_facts(site)):
        raise UsageError(f"{beyond}: no launcher there could ever start it. Ask for less.")


def _refuse_shared_workdirs(records: Sequence[Record]) -> None:
    seen: set[tuple[int, str]] = set()
    for record in records:
        place = (record["app_id"], record["workdir"])
        if place in seen:
            raise UsageError(
                f"Two of these jobs have the workdir {record['workdir']!r}: one would overwrite the files of "
                "the other. Give each its own."
            )
        seen.add(place)


def _update_job(job: BalsamJob, patch: Record) -> None:
    """Change a job; a state goes through the state machine, after everything else."""
    state = patch.pop("state", None)
    data = dict(patch.pop("state_data", None) or {})
    if (told := patch.pop("state_timestamp", None)) is not None:
        data["state_timestamp"] = told.isoformat()
    if (session_id := patch.pop("session_id", None)) is not None:
        sessions.require_holder(job, session_id)
    if "workdir" in patch:
        check_workdir(patch["workdir"])
    if patch.get("batch_job_id") is not None:
        _require_batch_job(job, patch["batch_job_id"])
    if "parameters" in patch or "serialized_parameters" in patch:
        _check_new_parameters(job, patch)
    columns = {JOB_COLUMNS.get(name, name): value for name, value in patch.items()}
    if columns:
        for name, value in columns.items():
            setattr(job, name, value)
        if columns.keys() & {"gpus_per_rank", "ranks_per_node"}:
            require_node_for(job, Site.objects.get(pk=job.site_id or FIRST_SITE))
        job.save(update_fields=list(columns))
    if state is not None:
        _move_job(job, state, data)


def _move_job(job: BalsamJob, state: str, data: Record) -> None:
    target = "JOB_FINISHED" if state == "STAGED_OUT" else state
    with transaction.atomic():
        if sessions.is_of_a_run(job, target):
            sessions.report_run(job, target, data)
        else:
            transitions.set_state([job.job_id], target, str(data.get("message", "")), strict=True)
        _keep_data(job, target, data)


def _require_batch_job(job: BalsamJob, batch_job_id: int) -> None:
    """Raise NotFoundError for a batch job that is not one of the job's site."""
    if not QueuedLaunch.objects.filter(pk=batch_job_id, site=job.site).exists():
        raise NotFoundError(f"The site of job {job.number} has no batch job {batch_job_id}.")


def _check_new_parameters(job: BalsamJob, patch: Record) -> None:
    app = ApplicationDefinition.objects.filter(name=job.application).first()
    if app is None:
        raise NotFoundError(f"There is no application {job.application!r}. `balsam app ls` lists yours.")
    serialized = patch.get("serialized_parameters", job.serialized_parameters)
    _check_parameters(app, patch.get("parameters", job.parameters), has_serialized=bool(serialized))


def _keep_data(job: BalsamJob, state: str, data: Record) -> None:
    """Keep what else was said of a change of state with its event."""
    rest = {name: value for name, value in data.items() if name != "message"}
    if rest:
        events = JobEvent.objects.filter(job_id=job.job_id, to_state=state).order_by("-pk")
        JobEvent.objects.filter(pk__in=list(events.values_list("pk", flat=True)[:1])).update(data=rest)


@transaction.atomic
def _create_batch_jobs(caller: int | None, records: Sequence[Record]) -> list[QueuedLaunch]:
    made = []
    for record in records:
        site = require_site(caller, record["site_id"])
        _check_partitions(record)
        request = BatchJobRequest(
            scheduler="",
            project=record["project"],
            queue=record["queue"],
            num_nodes=record["num_nodes"],
            wall_time_min=record["wall_time_min"],
            job_mode=record["job_mode"],
            optional_params=record["optional_params"],
            site_id=site.pk,
            filter_tags=record["filter_tags"],
            partitions=record["partitions"],
        )
        made.append(batch_jobs.intend_batch_job(request).batch_job_id)
    rows = QueuedLaunch.objects.in_bulk(made)
    return [rows[number] for number in made]


def _check_partitions(record: Record) -> None:
    parts = record["partitions"]
    for part in parts or ():
        if not _is_part(part):
            raise UsageError(
                f"The partition {part!r} cannot be: it has job_mode, mpi or serial, num_nodes, 1 or more, "
                "and maybe filter_tags."
            )
    if parts is not None and sum(part.get("num_nodes", 0) for part in parts) != record["num_nodes"]:
        raise UsageError(f"The partitions do not add up to {record['num_nodes']} nodes.")


def _is_part(part: Any) -> bool:
    if not isinstance(part, Mapping) or set(part) - {"job_mode", "num_nodes", "filter_tags"}:
        return False
    nodes = part.get("num_nodes")
    is_sound = isinstance(nodes, int) and nodes >= 1 and isinstance(part.get("filter_tags") or {}, Mapping)
    return is_sound and part.get("job_mode") in ("mpi", "serial")


def _create_sessions(caller: int | None, records: Sequence[Record]) -> list[Session]:
    for record in records:
        require_site(caller, record["site_id"])
    with transaction.atomic():
        return [sessions.open_for(record["site_id"], record["batch_job_id"]) for record in records]


def _update_batch_job(row: QueuedLaunch, patch: Record) -> None:
    if set(patch) != {"state"} or patch["state"] != _PENDING_DELETION:
        raise UsageError("Of a batch job only the state can be changed, to pending_deletion.")
    batch_jobs.request_batch_job_deletion(row.pk)


def _update_transfer(item: TransferItem, patch: Record) -> None:
    """Change a transfer; a new state is the business of its job, too."""
    if "state" in patch:
        state = patch["state"]
        if state not in list(TransferState):
            raise UsageError(f"{state!r} is no state of a transfer: {', '.join(TransferState)}.")
        transitions.change_transfer(item.pk, state, patch.get("task_id"), patch.get("transfer_info"))
        return
    for name, value in patch.items():
        setattr(item, name, value)
    item.save(update_fields=list(patch))


#: Resource -> make objects from checked records; all or none.
CREATE: Mapping[str, Callable[[int | None, Sequence[Record]], list[Any]]] = {
    "site": _create_sites,
    "app": _create_apps,
    "job": _create_jobs,
    "batch_job": _create_batch_jobs,
    "session": _create_sessions,
}
#: Resource -> change one object by a checked patch; raises BalsamError.
UPDATE: Mapping[str, Callable[[Any, Record], None]] = {
    "site": _update_site,
    "app": _update_app,
    "job": _update_job,
    "batch_job": _update_batch_job,
    "transfer": _update_transfer,
}
