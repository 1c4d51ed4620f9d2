"""Mark jobs that their own hook has moved, and that wait for its end."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("core", "0002_birth_events")]

    operations = [
        migrations.AddField(
            "balsamjob", "hook_moved", models.BooleanField(db_default=False, default=False, editable=False)
        ),
    ]
