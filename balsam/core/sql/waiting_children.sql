-- The children of ended jobs that wait, with how many of the given parents each has, and one of these: O(out-degree).
-- ids: uuid[] of the parents
SELECT d.child_id, count(*), (array_agg(d.parent_id))[1]
FROM core_jobdependency d
JOIN core_balsamjob c ON c.job_id = d.child_id
WHERE d.parent_id = ANY(%(ids)s::uuid[]) AND c.state = 'AWAITING_PARENTS'
GROUP BY d.child_id
