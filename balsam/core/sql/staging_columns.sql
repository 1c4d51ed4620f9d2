-- What jobs say of files that come from elsewhere and go elsewhere.
SELECT job_id, stage_in_url, stage_out_url, stage_out_files FROM core_balsamjob WHERE job_id = ANY(%(ids)s::uuid[])
