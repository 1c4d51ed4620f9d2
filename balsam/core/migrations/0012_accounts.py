import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

#: Each token that there was becomes a login of its own, with all scopes, until it would have expired.
KEEP_TOKENS = """
INSERT INTO core_login (id, account_id, label, scopes, created, expires, last_used)
SELECT id, account_id, label, 'read submit agent admin', created, expires, last_used FROM core_token;
UPDATE core_token SET login_id = id;
SELECT setval(pg_get_serial_sequence('core_login', 'id'), COALESCE(max(id), 1), max(id) IS NOT NULL)
FROM core_login;
SET CONSTRAINTS ALL IMMEDIATE;
"""


def _id():
    return models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")


def _created():
    return models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)


def _account(**options):
    return models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to="core.account", **options)


class Migration(migrations.Migration):
    dependencies = [
        ("core", "0011_batch_jobs_by_site"),
    ]

    operations = [
        migrations.CreateModel(
            name="Identity",
            fields=[
                ("id", _id()),
                ("issuer", models.TextField()),
                ("subject", models.TextField()),
                ("account", _account()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("issuer", "subject"), name="identity_is_one_account")
                ],
            },
        ),
        migrations.CreateModel(
            name="DeviceLogin",
            fields=[
                ("id", _id()),
                ("digest", models.CharField(max_length=64, unique=True)),
                ("user_code", models.CharField(max_length=9, unique=True)),
                ("client_id", models.TextField()),
                ("scopes", models.TextField()),
                ("label", models.TextField()),
                ("address", models.TextField()),
                ("created", _created()),
                ("expires", models.DateTimeField()),
                ("polled", models.DateTimeField(null=True)),
                ("interval_sec", models.IntegerField()),
                ("is_approved", models.BooleanField(null=True)),
                ("account", _account(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="Login",
            fields=[
                ("id", _id()),
                ("label", models.TextField(db_default="", default="")),
                ("scopes", models.TextField(db_default="", default="")),
                ("created", _created()),
                ("expires", models.DateTimeField()),
                ("last_used", models.DateTimeField(null=True)),
                ("generation", models.IntegerField(db_default=0, default=0)),
                ("confirmed", models.DateTimeField(null=True)),
                ("account", _account()),
                (
                    "site",
                    models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, to="core.site"),
                ),
            ],
        ),
        migrations.AddField(
            model_name="token",
            name="login",
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, to="core.login"),
        ),
        migrations.RunSQL(KEEP_TOKENS, migrations.RunSQL.noop),
        migrations.RemoveField(model_name="token", name="account"),
        migrations.RemoveField(model_name="token", name="label"),
        migrations.RemoveField(model_name="token", name="last_used"),
        migrations.AlterField(
            model_name="token",
            name="login",
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to="core.login"),
        ),
        migrations.AddField(
            model_name="token",
            name="kind",
            field=models.CharField(db_default="access", default="access", max_length=10),
        ),
        migrations.AddField(
            model_name="token",
            name="generation",
            field=models.IntegerField(db_default=0, default=0),
        ),
    ]
