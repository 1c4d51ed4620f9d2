-- The jobs of these applications.
SELECT j.job_id FROM core_balsamjob j JOIN core_applicationdefinition a ON a.name = j.application WHERE a.id = ANY(%(ids)s)
