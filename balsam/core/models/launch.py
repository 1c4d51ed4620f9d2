"""The batch job table: one row per allocation asked of a scheduler, kept for ever with its end state."""

from pprint import pformat

from django.db import models


class QueuedLaunch(models.Model):
    """A batch job. ``scheduler_id`` is text, as schedulers number them in many ways; '' until submitted."""

    scheduler_id = models.TextField(default="", db_default="")
    project = models.TextField(default="", db_default="")
    queue = models.TextField(default="", db_default="")
    nodes = models.IntegerField(default=0, db_default=0)
    wall_minutes = models.IntegerField(default=0, db_default=0)
    job_mode = models.TextField(default="", db_default="")
    wf_filter = models.TextField(default="", db_default="")
    sched_flags = models.TextField(default="", db_default="")
    command = models.TextField(default="", db_default="")
    state = models.TextField(default="pending-submission", db_default="pending-submission")
    from_balsam = models.BooleanField(default=True, db_default=True)

    def __str__(self) -> str:
        fields = {f.name: getattr(self, f.name) for f in self._meta.fields}
        return "Qlaunch " + pformat(fields, sort_dicts=False)
