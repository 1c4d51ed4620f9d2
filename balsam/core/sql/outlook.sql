-- What is left for a launcher. The partial index open_jobs keeps it off finished jobs.
SELECT
    count(*) FILTER (WHERE runnable AND misfit = '') AS runnable,
    count(*) FILTER (WHERE hook AND free) AS processable,
    count(*) FILTER (WHERE NOT free OR stuck) AS held,
    count(*) FILTER (WHERE runnable AND misfit <> '') AS unfit,
    count(*) FILTER (WHERE state IN ('CREATED', 'AWAITING_PARENTS')) AS waiting,
    count(*) FILTER (WHERE session_id = %(session_id)s) AS mine,
    count(*) FILTER (WHERE hook AND session_id <> coalesce(%(session_id)s, 0)) AS in_other_steps,
    count(*) FILTER (WHERE runnable AND misfit = 'large') AS too_large,
    coalesce(max(num_nodes) FILTER (WHERE runnable AND misfit = 'large'), 0) AS most_nodes,
    count(*) FILTER (WHERE runnable AND misfit = 'parallel') AS too_parallel,
    count(*) FILTER (WHERE runnable AND misfit = 'long') AS too_long
FROM (
    SELECT state, session_id, num_nodes, session_id IS NULL AS free,
        session_id IS NULL AND state IN ('PREPROCESSED', 'RESTART_READY') AS runnable,
        state IN ('READY', 'STAGED_IN', 'RUN_DONE', 'RUN_ERROR', 'RUN_TIMEOUT', 'POSTPROCESSED') AS hook,
        -- Its transfer waits for something: whoever sees to that, it may take long.
        session_id IS NULL AND state IN ('READY', 'POSTPROCESSED') AND EXISTS (
            SELECT FROM core_transferitem t
            WHERE t.job_id = core_balsamjob.job_id AND t.state = 'inactive') AS stuck,
        CASE
            WHEN num_nodes > %(max_nodes)s THEN 'large'
            WHEN %(serial_only)s AND (num_nodes > 1 OR ranks_per_node > 1) THEN 'parallel'
            WHEN wall_time_minutes > %(max_wall_time_min)s::float8 THEN 'long'
            WHEN job_id = ANY (%(exclude)s::uuid[]) THEN 'unplaceable'
            ELSE ''
        END AS misfit
    FROM core_balsamjob
    WHERE state NOT IN ('JOB_FINISHED', 'FAILED', 'USER_KILLED')
      AND site_id = %(site_id)s
      AND (%(workflow)s = '' OR position(%(workflow)s in workflow) > 0)
      AND (%(tags)s = '{}' OR tags @> %(tags)s::jsonb)
) open
