"""Let every site of a database have a service of its own."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("core", "0008_sites")]

    operations = [
        migrations.RemoveConstraint("session", "one_live_service"),
        migrations.AddConstraint(
            "session",
            models.UniqueConstraint(
                fields=["site"],
                condition=models.Q(kind="service", ended=None),
                name="one_live_service_of_site",
            ),
        ),
    ]
