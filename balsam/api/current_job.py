"""The job that this process belongs to, and the class of its application: for Balsam's own programs alone."""

import os

from balsam.api.application import ApplicationDefinition
from balsam.api.file_apps import load_file_class
from balsam.api.models import App, Job
from balsam.api.serializing import load_class
from balsam.exceptions import DefinitionError, NotInJobError

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
    if app.class_path:
        return load_file_class(app.site_id, app.class_path)(job)
    if not app.serialized_class:
        raise DefinitionError(f"{app.name} has no Python code. Call {app.name}.sync() again.")
    found = load_class(app.serialized_class)
    if not issubclass(found, ApplicationDefinition):
        raise DefinitionError(f"{app.name} is no ApplicationDefinition, but {found!r}.")
    return found(job)
