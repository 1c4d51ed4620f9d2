"""The first schema: sites, applications, jobs, dependencies, events, sessions, batch jobs."""

import uuid

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

import balsam.core.models.fields
import balsam.core.models.job_behaviour
import balsam.core.models.query
import balsam.states


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="ApplicationDefinition",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.TextField(unique=True)),
                ("description", models.TextField(blank=True, db_default="", default="")),
                ("executable", models.TextField(blank=True, db_default="", default="")),
                ("preprocess", models.TextField(blank=True, db_default="", default="")),
                ("envscript", models.TextField(blank=True, db_default="", default="")),
                ("postprocess", models.TextField(blank=True, db_default="", default="")),
            ],
        ),
        migrations.CreateModel(
            name="QueuedLaunch",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("scheduler_id", models.TextField(db_default="", default="")),
                ("project", models.TextField(db_default="", default="")),
                ("queue", models.TextField(db_default="", default="")),
                ("nodes", models.IntegerField(db_default=0, default=0)),
                ("wall_minutes", models.IntegerField(db_default=0, default=0)),
                ("job_mode", models.TextField(db_default="", default="")),
                ("wf_filter", models.TextField(db_default="", default="")),
                ("sched_flags", models.TextField(db_default="", default="")),
                ("command", models.TextField(db_default="", default="")),
                ("state", models.TextField(db_default="pending-submission", default="pending-submission")),
                ("from_balsam", models.BooleanField(db_default=True, default=True)),
            ],
        ),
        migrations.CreateModel(
            name="Site",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=100, unique=True)),
                ("path", models.TextField()),
            ],
        ),
        migrations.CreateModel(
            name="JobEvent",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("job_id", models.UUIDField()),
                ("timestamp", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("from_state", models.CharField(max_length=16)),
                ("to_state", models.CharField(max_length=16)),
                ("cause", models.TextField(db_default="", default="")),
                ("message", models.TextField(db_default="", default="")),
                ("attempt", models.IntegerField(db_default=0, default=0)),
            ],
            options={
                "indexes": [models.Index(fields=["job_id", "id"], name="events_of_job")],
            },
        ),
        migrations.CreateModel(
            name="Session",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("kind", models.CharField(max_length=20)),
                ("label", models.TextField(db_default="", default="")),
                ("host", models.TextField()),
                ("boot_id", models.TextField()),
                ("pid", models.BigIntegerField()),
                ("start_time", models.FloatField()),
                ("created", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("heartbeat", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("expires", models.DateTimeField()),
                ("ended", models.DateTimeField(null=True)),
                ("end_reason", models.TextField(db_default="", default="")),
            ],
            options={
                "indexes": [
                    models.Index(condition=models.Q(("ended", None)), fields=["expires"], name="session_live")
                ],
            },
        ),
        migrations.RunSQL("CREATE SEQUENCE core_job_number", "DROP SEQUENCE core_job_number"),
        migrations.CreateModel(
            name="BalsamJob",
            fields=[
                (
                    "job_id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                (
                    "number",
                    models.BigIntegerField(
                        db_default=balsam.core.models.query.NextNumber(), editable=False, unique=True
                    ),
                ),
                ("workflow", models.TextField(blank=True, db_default="", default="")),
                ("name", models.TextField(blank=True, db_default="", default="")),
                ("description", models.TextField(blank=True, db_default="", default="")),
                ("lock", models.TextField(blank=True, db_default="", default="")),
                ("input_files", models.TextField(blank=True, db_default="", default="")),
                ("stage_in_url", models.TextField(blank=True, db_default="", default="")),
                ("stage_out_files", models.TextField(blank=True, db_default="", default="")),
                ("stage_out_url", models.TextField(blank=True, db_default="", default="")),
                ("wall_time_minutes", models.IntegerField(db_default=1, default=1)),
                ("num_nodes", models.IntegerField(db_default=1, default=1)),
                ("coschedule_num_nodes", models.IntegerField(db_default=0, default=0)),
                ("ranks_per_node", models.IntegerField(db_default=1, default=1)),
                ("cpu_affinity", models.TextField(db_default="none", default="none")),
                ("threads_per_rank", models.IntegerField(db_default=1, default=1)),
                ("threads_per_core", models.IntegerField(db_default=1, default=1)),
                ("gpus_per_rank", models.FloatField(db_default=0.0, default=0.0)),
                ("memory_mb_per_node", models.IntegerField(db_default=0, default=0)),
                ("node_packing_count", models.IntegerField(db_default=1, default=1)),
                ("priority", models.IntegerField(db_default=0, default=0)),
                (
                    "environ_vars",
                    balsam.core.models.fields.EnvironField(blank=True, db_default={}, default=dict),
                ),
                ("mpi_flags", models.TextField(blank=True, db_default="", default="")),
                ("application", models.TextField(blank=True, db_default="", default="")),
                ("args", models.TextField(blank=True, db_default="", default="")),
                ("user_workdir", models.TextField(blank=True, db_default="", default="")),
                ("wait_for_parents", models.BooleanField(db_default=True, default=True)),
                ("on_parent_failure", models.TextField(db_default="fail", default="fail")),
                ("post_error_handler", models.BooleanField(db_default=False, default=False)),
                ("post_timeout_handler", models.BooleanField(db_default=False, default=False)),
                ("auto_timeout_retry", models.BooleanField(db_default=True, default=True)),
                ("max_timeout_retries", models.IntegerField(db_default=25, default=25)),
                ("max_error_retries", models.IntegerField(db_default=0, default=0)),
                ("state", models.CharField(default="CREATED", editable=False, max_length=16)),
                ("attempt", models.IntegerField(db_default=0, default=0)),
                ("timeouts", models.IntegerField(db_default=0, default=0)),
                ("errors", models.IntegerField(db_default=0, default=0)),
                ("return_code", models.IntegerField(editable=False, null=True)),
                ("pending_parents", models.IntegerField(db_default=0, default=0)),
                (
                    "created",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
                (
                    "last_update",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
                ("data", models.JSONField(blank=True, db_default={}, default=dict)),
                (
                    "queued_launch",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        to="core.queuedlaunch",
                    ),
                ),
                (
                    "session",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        to="core.session",
                    ),
                ),
            ],
            options={
                "base_manager_name": "objects",
            },
            bases=(balsam.core.models.job_behaviour.JobBehaviour, models.Model),
        ),
        migrations.CreateModel(
            name="JobDependency",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "child",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="parent_edges",
                        to="core.balsamjob",
                    ),
                ),
                (
                    "parent",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="child_edges",
                        to="core.balsamjob",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["parent"], name="edges_by_parent")],
                "constraints": [
                    models.UniqueConstraint(fields=("child", "parent"), name="one_edge_per_pair"),
                    models.CheckConstraint(
                        condition=models.Q(("parent", models.F("child")), _negated=True), name="no_self_edge"
                    ),
                ],
            },
        ),
        migrations.AddIndex(
            model_name="balsamjob",
            index=models.Index(
                models.OrderBy(models.F("priority"), descending=True),
                models.OrderBy(models.F("num_nodes"), descending=True),
                models.OrderBy(models.F("wall_time_minutes"), descending=True),
                models.F("number"),
                condition=models.Q(
                    ("session", None),
                    (
                        "state__in",
                        (balsam.states.JobState["PREPROCESSED"], balsam.states.JobState["RESTART_READY"]),
                    ),
                ),
                name="runnable_jobs",
            ),
        ),
        migrations.AddIndex(
            model_name="balsamjob",
            index=models.Index(
                condition=models.Q(
                    (
                        "state__in",
                        (
                            balsam.states.JobState["JOB_FINISHED"],
                            balsam.states.JobState["FAILED"],
                            balsam.states.JobState["USER_KILLED"],
                        ),
                    ),
                    _negated=True,
                ),
                fields=["state"],
                name="open_jobs",
            ),
        ),
        migrations.AddIndex(
            model_name="balsamjob",
            index=models.Index(fields=["workflow"], name="jobs_of_workflow"),
        ),
        migrations.AddIndex(
            model_name="balsamjob",
            index=models.Index(
                condition=models.Q(("queued_launch", None), _negated=True),
                fields=["queued_launch"],
                name="jobs_of_launch",
            ),
        ),
        migrations.AddIndex(
            model_name="balsamjob",
            index=models.Index(
                condition=models.Q(("session", None), _negated=True), fields=["session"], name="held_jobs"
            ),
        ),
        migrations.AddConstraint(
            model_name="balsamjob",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "state__in",
                        (
                            balsam.states.JobState["CREATED"],
                            balsam.states.JobState["AWAITING_PARENTS"],
                            balsam.states.JobState["READY"],
                            balsam.states.JobState["STAGED_IN"],
                            balsam.states.JobState["RUN_DONE"],
                            balsam.states.JobState["POSTPROCESSED"],
                            balsam.states.JobState["RUN_TIMEOUT"],
                            balsam.states.JobState["RUN_ERROR"],
                            balsam.states.JobState["PREPROCESSED"],
                            balsam.states.JobState["RESTART_READY"],
                            balsam.states.JobState["RUNNING"],
                            balsam.states.JobState["JOB_FINISHED"],
                            balsam.states.JobState["FAILED"],
                            balsam.states.JobState["USER_KILLED"],
                        ),
                    )
                ),
                name="state_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="balsamjob",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        (
                            "state__in",
                            (
                                balsam.states.JobState["JOB_FINISHED"],
                                balsam.states.JobState["FAILED"],
                                balsam.states.JobState["USER_KILLED"],
                            ),
                        ),
                        _negated=True,
                    ),
                    ("session", None),
                    _connector="OR",
                ),
                name="ended_job_is_free",
            ),
        ),
        migrations.AddConstraint(
            model_name="balsamjob",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "RUNNING"), _negated=True), ("session__isnull", False), _connector="OR"
                ),
                name="running_job_is_held",
            ),
        ),
        migrations.AddConstraint(
            model_name="balsamjob",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("gpus_per_rank__gte", 0),
                    ("node_packing_count__gte", 1),
                    ("num_nodes__gte", 1),
                    ("ranks_per_node__gte", 1),
                    ("threads_per_core__gte", 1),
                    ("threads_per_rank__gte", 1),
                    ("wall_time_minutes__gte", 0),
                ),
                name="resources_are_positive",
            ),
        ),
        migrations.AddConstraint(
            model_name="balsamjob",
            constraint=models.CheckConstraint(
                condition=models.Q(("on_parent_failure__in", ("fail", "ignore", "hold"))),
                name="parent_policy_is_known",
            ),
        ),
        # Edges go with either of their jobs.
        migrations.RunSQL(
            """
            ALTER TABLE core_jobdependency
                ADD CONSTRAINT edge_parent FOREIGN KEY (parent_id) REFERENCES core_balsamjob (job_id) ON DELETE CASCADE,
                ADD CONSTRAINT edge_child FOREIGN KEY (child_id) REFERENCES core_balsamjob (job_id) ON DELETE CASCADE
            """,
            """
            ALTER TABLE core_jobdependency DROP CONSTRAINT edge_parent, DROP CONSTRAINT edge_child
            """,
        ),
        # A job row is updated a handful of times in its life: leave room for that, and clean up early, so that
        # claims do not walk over the dead entries of jobs that have been claimed.
        migrations.RunSQL(
            """
            ALTER TABLE core_balsamjob SET (
                fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000,
                autovacuum_analyze_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 1
            )
            """,
            "ALTER TABLE core_balsamjob RESET (fillfactor)",
        ),
    ]
