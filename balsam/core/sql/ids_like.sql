-- A few jobs whose hyphenated id contains a fragment.
SELECT job_id FROM core_balsamjob WHERE job_id::text LIKE '%%' || %(fragment)s || '%%' LIMIT 4
