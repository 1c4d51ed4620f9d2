-- Those of the given jobs whose step is to end: killed, deleted, reset, held by another session, or all when this
-- session has ended. A job that its own hook has moved is held, or ended, and none of them.
SELECT i.job_id FROM unnest(%(ids)s::uuid[]) AS i(job_id)
WHERE NOT EXISTS (SELECT 1 FROM core_session WHERE id = %(session_id)s AND ended IS NULL)
   OR NOT EXISTS (SELECT 1 FROM core_balsamjob j WHERE j.job_id = i.job_id
                  AND (j.session_id = %(session_id)s OR j.state IN ('JOB_FINISHED', 'FAILED')))
