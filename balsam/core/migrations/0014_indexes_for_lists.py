"""Indexes for counts and lists of a million jobs: by state, by last update, and of events by time."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("core", "0013_transfers")]

    operations = [
        migrations.AddIndex(
            "balsamjob", models.Index(fields=["site", "state", "number"], name="jobs_by_state")
        ),
        migrations.AddIndex("balsamjob", models.Index(fields=["last_update"], name="jobs_by_update")),
        migrations.AddIndex("jobevent", models.Index(fields=["timestamp", "id"], name="events_by_time")),
        migrations.AddIndex(
            "jobevent",
            models.Index(
                fields=["to_state", "timestamp"],
                condition=models.Q(
                    to_state__in=["FAILED", "USER_KILLED", "RUN_ERROR", "RUN_TIMEOUT", "RESTART_READY"]
                ),
                name="rare_events",
            ),
        ),
    ]
