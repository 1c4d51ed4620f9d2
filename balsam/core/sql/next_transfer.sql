-- Seconds until the next transfer of a site is to be tried again; NULL: none waits for its time.
SELECT extract(epoch FROM min(i.next_try) - clock_timestamp())::float8
FROM core_transferitem i JOIN core_balsamjob j USING (job_id)
WHERE i.state IN ('pending', 'inactive') AND i.next_try > clock_timestamp() AND j.site_id = %(site_id)s
  AND j.state = CASE i.direction WHEN 'in' THEN 'READY' ELSE 'POSTPROCESSED' END
