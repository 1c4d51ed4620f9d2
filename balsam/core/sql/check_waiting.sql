-- Waiting jobs that count their parents wrongly, or wait for nothing.
WITH waiting AS (
    SELECT c.job_id, c.pending_parents, c.on_parent_failure, c.wait_for_parents,
           count(p.job_id) FILTER (WHERE p.state <> 'JOB_FINISHED') AS unfinished,
           count(p.job_id) FILTER (WHERE p.state IN ('FAILED', 'USER_KILLED')) AS failed
    FROM core_balsamjob c
    LEFT JOIN core_jobdependency d ON d.child_id = c.job_id
    LEFT JOIN core_balsamjob p ON p.job_id = d.parent_id
    WHERE c.state = 'AWAITING_PARENTS'
    GROUP BY c.job_id
)
SELECT job_id, format('waits for %%s parents; %%s of them have not finished, %%s have failed, on_parent_failure is %%s',
                      pending_parents, unfinished, failed, on_parent_failure)
FROM waiting
WHERE NOT wait_for_parents
   OR pending_parents < 1
   OR (on_parent_failure = 'fail' AND (pending_parents <> unfinished OR failed > 0))
   OR (on_parent_failure = 'ignore' AND pending_parents <> unfinished - failed)
   OR (on_parent_failure = 'hold' AND pending_parents < unfinished)
LIMIT %(max_rows)s
