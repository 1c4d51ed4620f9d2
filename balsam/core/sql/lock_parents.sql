-- Keep the parents of these jobs from changing state until the transaction ends, so that counting them is exact.
-- ids: uuid[] of the children
SELECT 1 FROM core_balsamjob
WHERE job_id IN (SELECT parent_id FROM core_jobdependency WHERE child_id = ANY(%(ids)s::uuid[]))
ORDER BY job_id
FOR SHARE
