"""The edge table of the job graph; cycles are refused where edges are made (`balsam.core.dependencies`)."""

from django.db import models


class JobDependency(models.Model):
    """``child`` waits for ``parent``. Rows go with either job (the constraints cascade in the database)."""

    parent = models.ForeignKey(
        "BalsamJob", models.DO_NOTHING, related_name="child_edges", db_constraint=False, db_index=False
    )
    child = models.ForeignKey(
        "BalsamJob", models.DO_NOTHING, related_name="parent_edges", db_constraint=False, db_index=False
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["child", "parent"], name="one_edge_per_pair"),
            models.CheckConstraint(condition=~models.Q(parent=models.F("child")), name="no_self_edge"),
        ]
        indexes = [models.Index(fields=["parent"], name="edges_by_parent")]

    def __str__(self) -> str:
        return f"{self.parent_id} -> {self.child_id}"
