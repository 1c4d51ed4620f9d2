-- Jobs that could run although a parent has not finished, and nobody asked for that.
SELECT c.job_id, format('is %%s, but its parent %%s is %%s', c.state, p.job_id, p.state)
FROM core_balsamjob c
JOIN core_jobdependency d ON d.child_id = c.job_id
JOIN core_balsamjob p ON p.job_id = d.parent_id
WHERE c.state IN ('CREATED', 'READY', 'STAGED_IN', 'PREPROCESSED') AND c.session_id IS NULL AND c.wait_for_parents
  AND p.state <> 'JOB_FINISHED'
  AND NOT (c.on_parent_failure = 'ignore' AND p.state IN ('FAILED', 'USER_KILLED'))
  AND NOT EXISTS (SELECT 1 FROM core_jobevent e WHERE e.job_id = c.job_id AND e.cause = 'user')
LIMIT %(max_rows)s
