-- What is left for a launcher. The partial index open_jobs keeps it off finished jobs.
SELECT
    count(*) FILTER (WHERE runnable AND free AND fits) AS runnable,
    count(*) FILTER (WHERE hook AND free) AS processable,
    count(*) FILTER (WHERE NOT free) AS held,
    count(*) FILTER (WHERE runnable AND free AND NOT fits) AS unfit,
    count(*) FILTER (WHERE state IN ('CREATED', 'AWAITING_PARENTS')) AS waiting,
    count(*) FILTER (WHERE session_id = %(session_id)s) AS mine
FROM (
    SELECT state, session_id, session_id IS NULL AS free,
        state IN ('PREPROCESSED', 'RESTART_READY') AS runnable,
        state IN ('READY', 'STAGED_IN', 'RUN_DONE', 'RUN_ERROR', 'RUN_TIMEOUT', 'POSTPROCESSED') AS hook,
        num_nodes <= %(max_nodes)s AND (NOT %(serial_only)s OR (num_nodes = 1 AND ranks_per_node = 1))
            AND (%(max_wall_time_min)s::float8 IS NULL OR wall_time_minutes <= %(max_wall_time_min)s::float8)
            AND job_id <> ALL (%(exclude)s::uuid[]) AS fits
    FROM core_balsamjob
    WHERE state NOT IN ('JOB_FINISHED', 'FAILED', 'USER_KILLED')
      AND (%(workflow)s = '' OR position(%(workflow)s in workflow) > 0)
) open
