-- Delete jobs, their history and their transfers; their edges go with them.
WITH gone AS (
    DELETE FROM core_balsamjob WHERE job_id = ANY(%(ids)s::uuid[]) RETURNING job_id
), moved_no_more AS (
    DELETE FROM core_transferitem t USING gone WHERE t.job_id = gone.job_id
)
DELETE FROM core_jobevent e USING gone WHERE e.job_id = gone.job_id
