-- The given jobs and all jobs below them, each once (so a cycle ends too), nearest first, at most max_rows (NULL: all).
-- ids: uuid[]
WITH RECURSIVE below(job_id) AS (
    SELECT unnest(%(ids)s::uuid[])
    UNION
    SELECT d.child_id FROM below b JOIN core_jobdependency d ON d.parent_id = b.job_id
)
SELECT job_id FROM below LIMIT %(max_rows)s
