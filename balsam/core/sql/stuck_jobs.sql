-- stuck_jobs
-- Jobs that wait below a failed parent which somebody is to repair by hand (policy hold): perhaps for ever.
-- LATERAL and LIMIT fix the order of the joins: with old statistics, one parent of 20,000 jobs took minutes.
WITH RECURSIVE stuck AS (
    SELECT j.job_id
    FROM core_balsamjob j, LATERAL (
        SELECT FROM core_jobdependency d
        WHERE d.child_id = j.job_id
          AND (SELECT p.state IN ('FAILED', 'USER_KILLED') FROM core_balsamjob p WHERE p.job_id = d.parent_id)
        LIMIT 1
    ) lost_parent
    WHERE j.state = 'AWAITING_PARENTS' AND j.on_parent_failure = 'hold'
    UNION
    SELECT d.child_id FROM stuck s JOIN core_jobdependency d ON d.parent_id = s.job_id
)
SELECT job_id::text FROM stuck
