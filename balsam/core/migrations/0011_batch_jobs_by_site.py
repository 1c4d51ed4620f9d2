"""Let the schedulers of two sites use the same number."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("core", "0010_logins")]

    operations = [
        migrations.RemoveConstraint("queuedlaunch", "one_live_batch_job_per_id"),
        migrations.AddConstraint(
            "queuedlaunch",
            models.UniqueConstraint(
                fields=["site", "scheduler", "scheduler_id"],
                condition=~models.Q(status__in=["finished", "submit_failed"]) & ~models.Q(scheduler_id=""),
                name="one_live_batch_job_per_id_of_site",
            ),
        ),
    ]
