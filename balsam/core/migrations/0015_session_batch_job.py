"""Let a session know the batch job it is for."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("core", "0014_indexes_for_lists")]

    operations = [
        migrations.AddField(
            "session",
            "batch_job",
            models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                to="core.queuedlaunch",
            ),
        ),
    ]
