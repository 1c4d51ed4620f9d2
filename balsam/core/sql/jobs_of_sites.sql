-- The jobs of these sites.
SELECT job_id FROM core_balsamjob WHERE site_id = ANY(%(ids)s)
