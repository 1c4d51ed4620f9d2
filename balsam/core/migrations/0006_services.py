"""Let a session say how it goes, and a database have one service at a time."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("core", "0004_batch_jobs")]

    operations = [
        migrations.AddField("session", "status", models.JSONField(blank=True, db_default={}, default=dict)),
        migrations.AddConstraint(
            "session",
            models.UniqueConstraint(
                fields=["kind"], condition=models.Q(kind="service", ended=None), name="one_live_service"
            ),
        ),
    ]
