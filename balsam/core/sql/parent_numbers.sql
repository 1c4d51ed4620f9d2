-- The parents of each of some jobs, by number.
-- children: uuid[]
SELECT d.child_id, p.number
FROM core_jobdependency d
JOIN core_balsamjob p ON p.job_id = d.parent_id
WHERE d.child_id = ANY(%(children)s::uuid[])
ORDER BY p.number
