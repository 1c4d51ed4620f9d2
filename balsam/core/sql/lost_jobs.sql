-- Those of the given jobs that a session does not hold any more.
SELECT i.job_id FROM unnest(%(ids)s::uuid[]) AS i(job_id)
WHERE NOT EXISTS (SELECT 1 FROM core_balsamjob j WHERE j.job_id = i.job_id AND j.session_id = %(session_id)s)
