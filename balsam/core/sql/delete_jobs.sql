-- Delete jobs and their history; their edges go with them.
WITH gone AS (
    DELETE FROM core_balsamjob WHERE job_id = ANY(%(ids)s::uuid[]) RETURNING job_id
)
DELETE FROM core_jobevent e USING gone WHERE e.job_id = gone.job_id
