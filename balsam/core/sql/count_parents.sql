-- For each child: how many parents have not finished, and how many of these never will.
-- ids: uuid[] of the children
SELECT d.child_id,
       count(*) FILTER (WHERE p.state <> 'JOB_FINISHED') AS pending,
       count(*) FILTER (WHERE p.state IN ('FAILED', 'USER_KILLED')) AS failed
FROM core_jobdependency d
JOIN core_balsamjob p ON p.job_id = d.parent_id
WHERE d.child_id = ANY(%(ids)s::uuid[])
GROUP BY d.child_id
