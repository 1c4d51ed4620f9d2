-- For each of these jobs and each direction: how many transfers there are, how many of them are not done, their bytes,
-- and the words of one that was given up.
SELECT job_id, direction, count(*), count(*) FILTER (WHERE state <> 'done'),
    coalesce(sum((transfer_info ->> 'bytes')::bigint), 0)::bigint,
    max(CASE WHEN state = 'error' THEN coalesce(transfer_info ->> 'message', '') END)
FROM core_transferitem WHERE job_id = ANY(%(ids)s::uuid[])
GROUP BY job_id, direction
