"""Let a session name the batch job in which its process runs."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("core", "0006_services")]

    operations = [
        migrations.AddField("session", "scheduler_id", models.TextField(db_default="", default="")),
    ]
