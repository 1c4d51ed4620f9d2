"""Keep what is known of a site's nodes, so that jobs which fit none are told of."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("core", "0015_session_batch_job")]

    operations = [
        migrations.AddField("site", "node_shape", models.JSONField(blank=True, db_default={}, default=dict)),
    ]
