-- Keep what Python applications returned or raised. In the transaction that moves their jobs, whose rows are locked.
UPDATE core_balsamjob j
SET serialized_return_value = r.value, serialized_exception = r.exception
FROM unnest(%(ids)s::uuid[], %(values)s::text[], %(exceptions)s::text[]) AS r(job_id, value, exception)
WHERE j.job_id = r.job_id
