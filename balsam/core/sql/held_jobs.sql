-- The jobs a session holds.
SELECT job_id FROM core_balsamjob WHERE session_id = %(session_id)s
