-- Jobs have gone on: nobody is to do their transfers any more, nor to report them.
UPDATE core_transferitem i
SET state = 'awaiting_job', session_id = NULL, last_update = clock_timestamp()
FROM unnest(%(ids)s::uuid[], %(directions)s::text[]) AS gone(job_id, direction)
WHERE i.job_id = gone.job_id AND i.direction = gone.direction AND i.state IN ('pending', 'active', 'inactive')
