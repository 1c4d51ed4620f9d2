"""Give batch jobs their whole life: intent, submission, states, end."""

import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("core", "0003_hook_moved"),
    ]

    operations = [
        migrations.AddField(
            model_name="queuedlaunch",
            name="created",
            field=models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
        ),
        migrations.AddField(
            model_name="queuedlaunch",
            name="deletion_asked",
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name="queuedlaunch",
            name="end",
            field=models.CharField(editable=False, max_length=20, null=True),
        ),
        migrations.AddField(
            model_name="queuedlaunch",
            name="ended",
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name="queuedlaunch",
            name="marker",
            field=models.CharField(editable=False, max_length=15, null=True, unique=True),
        ),
        migrations.AddField(
            model_name="queuedlaunch",
            name="missing_since",
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name="queuedlaunch",
            name="optional_params",
            field=models.JSONField(blank=True, db_default={}, default=dict),
        ),
        migrations.AddField(
            model_name="queuedlaunch",
            name="prescheduled_only",
            field=models.BooleanField(db_default=True, default=True),
        ),
        migrations.AddField(
            model_name="queuedlaunch",
            name="reason",
            field=models.TextField(db_default="", default=""),
        ),
        migrations.AddField(
            model_name="queuedlaunch",
            name="scheduler",
            field=models.TextField(db_default="", default=""),
        ),
        migrations.AddField(
            model_name="queuedlaunch",
            name="seen_by_name",
            field=models.BooleanField(db_default=False, default=False, editable=False),
        ),
        migrations.AddField(
            model_name="queuedlaunch",
            name="started",
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name="queuedlaunch",
            name="status",
            field=models.CharField(
                db_default="pending_submission", default="pending_submission", editable=False, max_length=20
            ),
        ),
        migrations.AddField(
            model_name="queuedlaunch",
            name="submit_began",
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name="queuedlaunch",
            name="submitted",
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name="queuedlaunch",
            name="submitting_until",
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddIndex(
            model_name="queuedlaunch",
            index=models.Index(fields=["scheduler_id"], name="batch_jobs_by_scheduler_id"),
        ),
        migrations.AddIndex(
            model_name="queuedlaunch",
            index=models.Index(
                condition=models.Q(("status__in", ["finished", "submit_failed"]), _negated=True),
                fields=["status"],
                name="live_batch_jobs",
            ),
        ),
        migrations.AddConstraint(
            model_name="queuedlaunch",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "status__in",
                        [
                            "pending_submission",
                            "queued",
                            "running",
                            "pending_deletion",
                            "finished",
                            "submit_failed",
                        ],
                    )
                ),
                name="status_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="queuedlaunch",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "end__in",
                        [
                            "completed",
                            "failed",
                            "timeout",
                            "cancelled",
                            "preempted",
                            "node_fail",
                            "out_of_memory",
                            "vanished",
                            "unknown",
                        ],
                    ),
                    ("end", None),
                    _connector="OR",
                ),
                name="batch_end_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="queuedlaunch",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("end__isnull", False),
                        ("ended__isnull", False),
                        ("status__in", ["finished", "submit_failed"]),
                    ),
                    models.Q(
                        models.Q(("status__in", ["finished", "submit_failed"]), _negated=True),
                        ("end", None),
                        ("ended", None),
                    ),
                    _connector="OR",
                ),
                name="ended_batch_job_has_end",
            ),
        ),
        migrations.AddConstraint(
            model_name="queuedlaunch",
            constraint=models.UniqueConstraint(
                condition=models.Q(
                    models.Q(("status__in", ["finished", "submit_failed"]), _negated=True),
                    models.Q(("scheduler_id", ""), _negated=True),
                ),
                fields=("scheduler", "scheduler_id"),
                name="one_live_batch_job_per_id",
            ),
        ),
    ]
