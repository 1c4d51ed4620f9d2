-- Jobs whose holder cannot be: ended jobs that are held, running ones that are not, sessions that have ended.
SELECT j.job_id, format('%%s, held by session %%s%%s, lock %%L', j.state, coalesce(j.session_id::text, 'none'),
                        CASE WHEN s.id IS NULL THEN ', which is gone' WHEN s.ended IS NOT NULL THEN ', which has ended' ELSE '' END,
                        j.lock)
FROM core_balsamjob j LEFT JOIN core_session s ON s.id = j.session_id
WHERE (j.state IN ('JOB_FINISHED', 'FAILED', 'USER_KILLED') AND j.session_id IS NOT NULL)
   OR (j.state = 'RUNNING' AND j.session_id IS NULL)
   OR (j.session_id IS NOT NULL AND (s.id IS NULL OR s.ended IS NOT NULL))
   OR ((j.lock = '') <> (j.session_id IS NULL))
LIMIT %(max_rows)s
