"""Fill a database with many jobs and their events, by SQL: most have finished, as after a long campaign."""

from django.db import connection

_SITE = "INSERT INTO core_site (name, path) SELECT 'bench' || count(*), '/bench' FROM core_site RETURNING id"
_APP = """
INSERT INTO core_applicationdefinition (site_id, name, command_template)
VALUES (%(site)s, 'bench@' || %(site)s, 'true')
"""
_JOBS = """
INSERT INTO core_balsamjob (job_id, application, site_id, workdir, tags, state, last_update)
SELECT gen_random_uuid(), 'bench@' || %(site)s, %(site)s,
    'run/' || i, jsonb_build_object('batch', (i / 50)::text),
    CASE WHEN i %% 100 = 0 THEN 'FAILED' WHEN i > %(count)s * 0.99 THEN 'PREPROCESSED'
        ELSE 'JOB_FINISHED' END,
    now() - (%(count)s - i) * interval '1 second'
FROM generate_series(1, %(count)s) AS i
"""
_EVENTS = """
INSERT INTO core_jobevent (job_id, timestamp, from_state, to_state)
SELECT job_id, last_update - (3 - step) * interval '1 second', from_state, to_state
FROM core_balsamjob, (VALUES
    (1, 'PREPROCESSED', 'RUNNING'), (2, 'RUNNING', 'RUN_DONE'), (3, 'RUN_DONE', 'JOB_FINISHED')
) AS moves(step, from_state, to_state)
WHERE state = 'JOB_FINISHED'
ORDER BY number, step
"""


def fill(count: int) -> int:
    """Add a site with so many jobs, three events for each that has finished; return the site's id."""
    with connection.cursor() as cursor:
        cursor.execute(_SITE)
        (site,) = cursor.fetchone()
        for statement in (_APP, _JOBS, _EVENTS):
            cursor.execute(statement, {"site": site, "count": count})
        cursor.execute("VACUUM ANALYZE")
    return int(site)
