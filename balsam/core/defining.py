"""Define applications and make jobs from what people type, with the checks that spare them a failed job."""

import hashlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from django.db import IntegrityError, transaction

from balsam.core import jobs
from balsam.core.models import ApplicationDefinition, BalsamJob
from balsam.core.models.application import UnknownApplication
from balsam.exceptions import ConflictError, UsageError

#: Dummy jobs inserted in one transaction.
BATCH = 5_000


def define_app(name: str, executable: str, **fields: str) -> ApplicationDefinition:
    """Add an application; a command whose first word is a Python file is run by this Python.

    Raises UsageError for a missing name or executable, ConflictError when the name is taken.
    """
    if not name.strip() or not executable.strip():
        raise UsageError("An application needs a name and an executable: give --name and --executable.")
    commands = {key: python_command(fields.pop(key, "")) for key in ("preprocess", "postprocess")}
    app = ApplicationDefinition(name=name, executable=python_command(executable), **commands, **fields)
    try:
        with transaction.atomic():
            app.save()
    except IntegrityError:
        raise ConflictError(
            f"There is an application named {name!r} already. `balsam ls apps --verbose` shows it; "
            f"`balsam modify {name} executable COMMAND --type apps` changes it."
        ) from None
    return app


def python_command(command: str) -> str:
    """Return the command, run by this Python if its first word ends in ``.py``; others stay as they are."""
    words = command.split()
    if not words or not words[0].endswith(".py"):
        return command
    return " ".join([sys.executable, os.path.abspath(os.path.expanduser(words[0])), *words[1:]])


def require_app(name: str) -> ApplicationDefinition:
    """Return the application of exactly that name; raises UnknownApplication, with close names."""
    app = ApplicationDefinition.objects.filter(name=name).first()
    if app is None:
        known = list(ApplicationDefinition.objects.values_list("name", flat=True))
        near = get_close_matches(name, known, n=3)
        hint = f"Did you mean {' or '.join(near)}?" if near else "Define it with `balsam app`."
        raise UnknownApplication(
            f"There is no application named {name!r}. {hint} `balsam ls apps` lists them."
        )
    return app


def new_job(fields: Mapping[str, Any]) -> BalsamJob:
    """Make a job, not yet saved, of these columns; raises NotFoundError for an unknown application."""
    require_app(fields["application"])
    job = BalsamJob(**fields)
    jobs.check([job])
    return job


def count_jobs(workflow: str) -> int:
    """Return the number of jobs of exactly this workflow."""
    return BalsamJob.objects.filter(workflow=workflow).count()


def current_job() -> BalsamJob:
    """Return the job this process runs in.

    Raises UsageError outside of one, NotFoundError if it has been deleted.
    """
    job_id = os.environ.get("BALSAM_JOB_ID", "")
    if not job_id:
        raise UsageError(
            "This is not inside a job: BALSAM_JOB_ID is not set.\n"
            "Call it from an application or hook of a job. Elsewhere, use `balsam job` and `balsam dep`."
        )
    return jobs.find_one(job_id)


def add_child(
    parent: BalsamJob, fields: Mapping[str, Any], *, preprocess: str, postprocess: str
) -> BalsamJob:
    """Add a job that waits for ``parent``, in the batch job that runs it; return it.

    Hooks given make a variant of the application, with a name of its own.
    """
    app = with_hooks(require_app(fields["application"]), preprocess, postprocess)
    job = new_job({**fields, "application": app.name, "queued_launch_id": parent.queued_launch_id})
    job.set_parents([parent])
    job.save()
    return job


def with_hooks(app: ApplicationDefinition, preprocess: str, postprocess: str) -> ApplicationDefinition:
    """Return the application, or the variant of it that has these hooks in place of its own."""
    wanted = {
        "preprocess": python_command(preprocess) or app.preprocess,
        "postprocess": python_command(postprocess) or app.postprocess,
    }
    if all(getattr(app, key) == value for key, value in wanted.items()):
        return app
    digest = hashlib.sha256("\0".join([app.executable, app.envscript, *wanted.values()]).encode()).hexdigest()
    variant, _ = ApplicationDefinition.objects.get_or_create(
        name=f"{app.name}-{digest[:8]}",
        defaults={
            **wanted,
            "executable": app.executable,
            "envscript": app.envscript,
            "description": f"{app.name} with other hooks",
        },
    )
    return variant


def link(parent_fragment: str, child_fragment: str) -> tuple[BalsamJob, BalsamJob]:
    """Make the one job wait for the other; each is told by a part of its id. Returns (parent, child).

    Raises NotFoundError, AmbiguousError, CycleError, and ConflictError for a link that is there already.
    """
    from balsam.core import dependencies

    parent, child = jobs.find_one(parent_fragment), jobs.find_one(child_fragment)
    if not dependencies.add_edges([(parent.job_id, child.job_id)]):
        raise ConflictError(f"{child.cute_id} depends on {parent.cute_id} already; nothing was changed.")
    return parent, child


def add_dummies(count: int, on_progress: Callable[[int], Any] = lambda count: None) -> None:
    """Add jobs that print a word, 64 to a node, for trying a launcher out."""
    ApplicationDefinition.objects.get_or_create(name="dummy", defaults={"executable": "echo"})
    for batch in dummy_batches(count):
        BalsamJob.objects.bulk_create(batch)
        on_progress(len(batch))


def dummy_batches(count: int) -> Iterator[list[BalsamJob]]:
    """Make the dummy jobs, some thousands at a time."""
    for start in range(0, count, BATCH):
        yield [
            BalsamJob(
                name=f"dummy{i}", workflow="dummy", application="dummy", args="hello", node_packing_count=64
            )
            for i in range(start, min(start + BATCH, count))
        ]
