"""A long life is long in the table of events only; the row of the job does not grow."""

import json

import pytest
from django.db import connection

from balsam.core.models import BalsamJob, JobEvent
from tests.jobs import add_job, add_jobs

pytestmark = pytest.mark.usefixtures("db")


def row_size(job: BalsamJob) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sum(pg_column_size(value)) FROM core_balsamjob j, jsonb_each_text(to_jsonb(j)) "
            "WHERE job_id = %s",
            [str(job.pk)],
        )
        return int(cursor.fetchone()[0])


def test_row_of_a_job_does_not_grow_with_its_history():
    job = add_job()
    before = row_size(job)
    for number in range(50):
        job.update_state("RESTART_READY", f"note {number} " + "x" * 100)
        job.update_state("PREPROCESSED", "back")
    assert row_size(job) <= before + 20
    assert job.state_history.count("note ") == 50
    assert "state_history" not in {field.name for field in BalsamJob._meta.concrete_fields}


def test_history_of_one_job_is_found_by_an_index():
    jobs = add_jobs(2000)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
        query = JobEvent.objects.filter(job_id=jobs[0].pk).order_by("id")
        plan = json.dumps(query.explain(format="json"))
    assert "events_of_job" in plan and "Seq Scan" not in plan
