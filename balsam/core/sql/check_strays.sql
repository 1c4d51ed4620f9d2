-- Events of jobs that are gone.
SELECT e.job_id, format('event %%s is of no job', e.id)
FROM core_jobevent e
WHERE NOT EXISTS (SELECT 1 FROM core_balsamjob j WHERE j.job_id = e.job_id)
LIMIT %(max_rows)s
