-- Move jobs and write their history in one statement. The rows are locked; a row whose state is no longer the
-- expected one is left alone, and so is its history.
WITH change AS (
    SELECT * FROM unnest(
        %(ids)s::uuid[], %(from_states)s::text[], %(to_states)s::text[], %(sessions)s::bigint[], %(attempts)s::int[],
        %(timeouts)s::int[], %(errors)s::int[], %(pending)s::int[], %(return_codes)s::int[],
        %(hook_moved)s::bool[]
    ) AS c(job_id, from_state, to_state, session_id, attempt, timeouts, errors, pending, return_code, hook_moved)
), moved AS (
    UPDATE core_balsamjob j
    SET state = c.to_state,
        session_id = c.session_id,
        lock = CASE WHEN c.session_id IS NULL THEN '' ELSE j.lock END,
        attempt = c.attempt, timeouts = c.timeouts, errors = c.errors, pending_parents = c.pending,
        hook_moved = c.hook_moved,
        return_code = coalesce(c.return_code, j.return_code),
        last_update = clock_timestamp()
    FROM change c
    WHERE j.job_id = c.job_id AND j.state = c.from_state
    RETURNING j.job_id
)
INSERT INTO core_jobevent (job_id, timestamp, from_state, to_state, cause, message, attempt, session_id)
SELECT e.job_id, greatest(statement_timestamp() - make_interval(secs => e.age_sec), earlier.timestamp),
    e.from_state, e.to_state, e.cause, e.message, e.attempt, %(e_session)s::bigint
FROM unnest(
    %(e_ids)s::uuid[], %(e_ages)s::float8[], %(e_from)s::text[], %(e_to)s::text[], %(e_causes)s::text[],
    %(e_messages)s::text[], %(e_attempts)s::int[]
) WITH ORDINALITY AS e(job_id, age_sec, from_state, to_state, cause, message, attempt, rank)
JOIN moved USING (job_id)
-- Ages are told by others, who may have measured a little too much: time does not go backwards for all that.
LEFT JOIN LATERAL (
    SELECT timestamp FROM core_jobevent WHERE job_id = e.job_id ORDER BY id DESC LIMIT 1
) earlier ON e.age_sec > 0
ORDER BY e.rank
