-- Seconds until the next transfer of a site is to be tried again; NULL: none waits for its time. Those that wait are
-- found first, by their index: they are few beside the jobs.
WITH later AS MATERIALIZED (
    SELECT job_id, direction, next_try FROM core_transferitem
    WHERE state IN ('pending', 'inactive') AND next_try > clock_timestamp()
)
SELECT extract(epoch FROM min(i.next_try) - clock_timestamp())::float8
FROM later i JOIN core_balsamjob j USING (job_id)
WHERE j.site_id = %(site_id)s AND j.state = CASE i.direction WHEN 'in' THEN 'READY' ELSE 'POSTPROCESSED' END
