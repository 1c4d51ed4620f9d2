"""What scripts define: jobs and applications, checked before anything is saved."""

import os
import shutil
from collections.abc import Mapping
from typing import Any

from balsam.core import inserting
from balsam.core.defining import require_app
from balsam.core.models import ApplicationDefinition, BalsamJob
from balsam.core.models.tracking import refuse_unknown
from balsam.exceptions import UsageError


def add_job(fields: Mapping[str, Any], *, near: BalsamJob | None, is_saved: bool) -> BalsamJob:
    """Make a job of an application that exists, in the batch job of the job ``near``; save it if asked to.

    Raises UnknownFieldError, UnknownApplication, InvalidParentsError or UsageError.
    """
    refuse_unknown(BalsamJob, fields)
    require_app(fields["application"])
    launch = {} if near is None else {"queued_launch_id": near.queued_launch_id}
    job = BalsamJob(**{**launch, **fields})
    if is_saved:
        inserting.insert([job])
    return job


def put_app(
    name: str, fields: Mapping[str, str], *, check_executable: bool
) -> tuple[ApplicationDefinition, bool]:
    """Define an application or redefine it; return it and whether it is new.

    Raises UsageError for a missing name, or on request for an executable that cannot be run.
    """
    if not name.strip():
        raise UsageError("An application needs a name.")
    if check_executable and not _can_run(fields["executable"]):
        raise UsageError(
            f"The executable of {name!r} cannot be run: {fields['executable']!r} is no program. "
            "Give the path of a file and make it executable with `chmod +x`."
        )
    return ApplicationDefinition.objects.update_or_create(name=name, defaults=fields)


def _can_run(command: str) -> bool:
    words = command.split()
    return bool(words) and shutil.which(os.path.expanduser(words[0])) is not None
