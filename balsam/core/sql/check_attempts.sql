-- Jobs with two starts of one number, or more starts than they count.
SELECT e.job_id, format('attempt %%s was started %%s times', e.attempt, count(*))
FROM core_jobevent e WHERE e.to_state = 'RUNNING' AND e.from_state <> 'RUNNING'
GROUP BY e.job_id, e.attempt HAVING count(*) > 1
UNION ALL
SELECT j.job_id, format('attempt %%s was started, but the job counts %%s', max(e.attempt), j.attempt)
FROM core_balsamjob j JOIN core_jobevent e ON e.job_id = j.job_id AND e.to_state = 'RUNNING'
GROUP BY j.job_id HAVING max(e.attempt) > j.attempt
LIMIT %(max_rows)s
