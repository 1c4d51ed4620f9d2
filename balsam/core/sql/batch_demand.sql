-- batch_demand
-- Shapes of the jobs that a new launcher could run, now or soon: of all, or of those given; where that is asked for, of
-- those that run, too. The partial index open_jobs keeps it off finished jobs.
SELECT num_nodes, num_nodes * ranks_per_node AS num_ranks,
    CASE WHEN num_nodes = 1 THEN node_packing_count ELSE 1 END AS packing, wall_time_minutes,
    state IN ('PREPROCESSED', 'RESTART_READY') AS is_ready, state = 'RUNNING' AS is_running, count(*)
FROM core_balsamjob
WHERE state NOT IN ('JOB_FINISHED', 'FAILED', 'USER_KILLED')
  AND (state IN ('CREATED', 'AWAITING_PARENTS', 'READY', 'STAGED_IN')
       OR (state IN ('PREPROCESSED', 'RESTART_READY') AND session_id IS NULL)
       OR (state = 'RUNNING' AND %(running)s))
  AND site_id = %(site_id)s
  AND (%(tags)s = '{}' OR tags @> %(tags)s::jsonb)
  AND (%(workflow)s = '' OR position(%(workflow)s in workflow) > 0)
  AND (%(stuck)s::uuid[] IS NULL OR (job_id = ANY (%(stuck)s::uuid[]) AND wait_for_parents))
GROUP BY 1, 2, 3, 4, 5, 6
ORDER BY 1, 2, 3, 4, 5, 6
