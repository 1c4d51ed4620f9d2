-- Record what became of transfers that a session holds, at the start it tells of. Retries are dated by this clock.
-- With a failure, what others did of it is over.
UPDATE core_transferitem i
SET state = t.state,
    session_id = CASE WHEN t.state = 'active' THEN i.session_id END,
    failures = i.failures + t.is_failure::int,
    next_try = clock_timestamp() + make_interval(secs => t.retry_sec),
    task_id = CASE WHEN t.is_failure THEN '' ELSE coalesce(nullif(t.task_id, ''), i.task_id) END,
    transfer_info = jsonb_strip_nulls(jsonb_build_object(
        'message', nullif(t.message, ''), 'bytes', nullif(t.size, 0), 'total', nullif(t.total, 0),
        'seconds', nullif(t.took_sec, 0), 'needs_you', nullif(t.needs_you, false))),
    last_update = clock_timestamp()
FROM unnest(
    %(ids)s::bigint[], %(attempts)s::int[], %(states)s::text[], %(messages)s::text[], %(retries)s::float8[],
    %(failures)s::bool[], %(sizes)s::bigint[], %(totals)s::bigint[], %(took)s::float8[], %(tasks)s::text[],
    %(needs_you)s::bool[]
) AS t(id, attempt, state, message, retry_sec, is_failure, size, total, took_sec, task_id, needs_you)
WHERE i.id = t.id AND i.session_id = %(session_id)s AND i.attempts = t.attempt
RETURNING i.id
