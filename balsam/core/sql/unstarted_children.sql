-- The children of reopened jobs that have not been started: O(out-degree).
-- ids: uuid[] of the parents
SELECT DISTINCT d.child_id
FROM core_jobdependency d
JOIN core_balsamjob c ON c.job_id = d.child_id
WHERE d.parent_id = ANY(%(ids)s::uuid[])
  AND c.state IN ('CREATED', 'AWAITING_PARENTS', 'READY', 'STAGED_IN', 'PREPROCESSED')
