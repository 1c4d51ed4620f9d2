"""Queries on jobs: creation by COPY, and bulk changes of state that go through the core."""

import uuid
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.db import models

if TYPE_CHECKING:
    from balsam.core.models.job import BalsamJob


class NextNumber(models.Func):
    """The next short job number."""

    template = "nextval('core_job_number')"
    output_field = models.BigIntegerField()
    arity = 0
    allowed_default = True


class JobQuerySet(models.QuerySet["BalsamJob"]):
    """Jobs. ``bulk_create``, ``update`` and ``delete`` keep the rules of the core."""

    def bulk_create(self, objs: Iterable["BalsamJob"], *args: Any, **kwargs: Any) -> list["BalsamJob"]:
        """Insert many jobs at once, by COPY; ``batch_size`` is accepted and not needed.

        Raises TypeError for the options that skip or overwrite existing rows.
        """
        from balsam.core import jobs

        kwargs.pop("batch_size", None)
        asked = [name for name, value in kwargs.items() if value]
        if args[1:] or asked:
            raise TypeError(f"bulk_create of jobs does not take {', '.join(asked) or 'further arguments'}.")
        batch = list(objs)
        jobs.insert(batch)
        return batch

    def update(self, **kwargs: Any) -> int:
        """Change columns of all matching jobs and return how many; a state goes by the table of transitions.

        Raises UsageError for impossible values and for what only the core writes.
        """
        from balsam.core import saving

        return saving.update(self, kwargs)

    def delete(self) -> tuple[int, dict[str, int]]:
        """Delete all matching jobs; children that wait for them fail by their policy."""
        from balsam.core import jobs

        count = jobs.delete(self.job_ids())
        return count, {self.model._meta.label: count}

    def job_ids(self) -> list[uuid.UUID]:
        """Ids of the matching jobs."""
        return list(self.values_list("job_id", flat=True))


JobManager = models.Manager.from_queryset(JobQuerySet)
