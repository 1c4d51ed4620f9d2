-- What the database chose for new jobs: a row for each, in the order asked for, of NULLs for one that is gone.
-- jobs: uuid[]
SELECT j.number, j.last_update
FROM unnest(%(jobs)s::uuid[]) WITH ORDINALITY AS asked(job_id, place)
LEFT JOIN core_balsamjob j USING (job_id)
ORDER BY asked.place
