-- Take free jobs of a session's site, best first, for a program that holds them by that session.
-- The session is locked until this is committed, so that it cannot end and leave the jobs behind. With a limit on
-- nodes, the longest beginning of the order is taken whose nodes do not add up to more.
-- states: text[]; apps: text[]; sort: small_first, long_large_first, or ''
WITH owner AS (
    SELECT host || ':' || pid AS lock, site_id, batch_job_id
    FROM core_session WHERE id = %(session_id)s AND ended IS NULL FOR SHARE
), picked AS (
    SELECT job_id, num_nodes::float8 / node_packing_count AS nodes,
        priority, number,
        CASE %(sort)s WHEN 'small_first' THEN num_nodes WHEN 'long_large_first' THEN -wall_time_minutes ELSE 0 END AS k1,
        CASE %(sort)s WHEN 'small_first' THEN -node_packing_count WHEN 'long_large_first' THEN -num_nodes ELSE 0 END AS k2,
        CASE %(sort)s WHEN 'small_first' THEN -wall_time_minutes WHEN 'long_large_first' THEN -node_packing_count ELSE 0 END AS k3
    FROM core_balsamjob
    WHERE state = ANY(%(states)s::text[]) AND session_id IS NULL
      AND state NOT IN ('JOB_FINISHED', 'FAILED', 'USER_KILLED')
      AND site_id = (SELECT site_id FROM owner)
      AND (%(any_app)s OR application = ANY(%(apps)s::text[]))
      AND (%(tags)s = '{}' OR tags @> %(tags)s::jsonb)
      AND (%(max_wall_time_min)s::float8 IS NULL OR wall_time_minutes <= %(max_wall_time_min)s::float8)
      AND (%(max_nodes)s::int IS NULL OR num_nodes <= %(max_nodes)s::int)
      AND (NOT %(serial_only)s OR (num_nodes = 1 AND ranks_per_node = 1))
    ORDER BY priority DESC, k1, k2, k3, number
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
), ranked AS (
    SELECT job_id, row_number() OVER best AS rank, sum(nodes) OVER best AS total
    FROM picked
    WINDOW best AS (ORDER BY priority DESC, k1, k2, k3, number ROWS UNBOUNDED PRECEDING)
), taken AS (
    UPDATE core_balsamjob j
    SET session_id = %(session_id)s, lock = (SELECT lock FROM owner),
        queued_launch_id = coalesce((SELECT batch_job_id FROM owner), j.queued_launch_id)
    FROM ranked r
    WHERE j.job_id = r.job_id
      AND (%(max_aggregate)s::float8 IS NULL OR r.total <= %(max_aggregate)s::float8 + 0.001)
    RETURNING j.job_id, r.rank
)
SELECT job_id FROM taken ORDER BY rank
