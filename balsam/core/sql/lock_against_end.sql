-- Keep jobs from changing state, and from being deleted, until the transaction ends; tells their states.
-- ids: uuid[]
SELECT job_id, state FROM core_balsamjob WHERE job_id = ANY(%(ids)s::uuid[]) ORDER BY job_id FOR SHARE
