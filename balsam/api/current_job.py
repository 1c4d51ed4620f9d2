"""The job that this process belongs to, and the class of its application: for Balsam's own programs alone."""

import os
from pathlib import Path

from balsam.api.app_classes import read_class
from balsam.api.application import ApplicationDefinition
from balsam.api.models import App, Job, Site
from balsam.exceptions import NotInJobError
from balsam.schemas.jobs import AppCode

__all__ = ["current_job", "instance_for"]


def current_job() -> Job:
    """Return the job of BALSAM_JOB_ID; raises NotInJobError, Job.DoesNotExist."""
    job_id = os.environ.get("BALSAM_JOB_ID")
    if not job_id:
        raise NotInJobError("BALSAM_JOB_ID is not set: this program is started by Balsam, for a job.")
    return Job.objects.get(uuid=job_id)


def instance_for(job: Job) -> ApplicationDefinition:
    """Return an instance of the job's application, whose code is read here as it was synced last."""
    app = App.objects.get(id=job.app_id)
    apps_dir = str(Path(Site.objects.get(id=app.site_id).path) / "apps") if app.class_path else ""
    code = AppCode(
        app_id=app.id,
        version=app.version,
        name=app.name,
        site_id=app.site_id,
        serialized_class=app.serialized_class,
        class_path=app.class_path,
        apps_dir=apps_dir,
    )
    return read_class(code)(job)
