-- Jobs of an application that wait for their first start.
SELECT job_id FROM core_balsamjob
WHERE state = 'PREPROCESSED' AND session_id IS NULL AND attempt = 0 AND application = %(application)s
