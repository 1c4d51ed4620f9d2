-- batch_demand
-- Shapes of the jobs that a new launcher could run, now or soon. The partial index open_jobs keeps it off finished
-- jobs. What waits below a failed parent that is to be repaired by hand (policy hold) may wait for ever: left out.
WITH RECURSIVE stuck AS (
    SELECT j.job_id
    FROM core_balsamjob j
    WHERE j.state = 'AWAITING_PARENTS' AND j.on_parent_failure = 'hold' AND EXISTS (
        SELECT FROM core_jobdependency d JOIN core_balsamjob p ON p.job_id = d.parent_id
        WHERE d.child_id = j.job_id AND p.state IN ('FAILED', 'USER_KILLED')
    )
    UNION
    SELECT d.child_id FROM stuck s JOIN core_jobdependency d ON d.parent_id = s.job_id
)
SELECT num_nodes, num_nodes * ranks_per_node AS num_ranks,
    CASE WHEN num_nodes = 1 THEN node_packing_count ELSE 1 END AS packing, wall_time_minutes,
    state IN ('PREPROCESSED', 'RESTART_READY') AS is_ready, count(*)
FROM core_balsamjob
WHERE state NOT IN ('JOB_FINISHED', 'FAILED', 'USER_KILLED')
  AND (state IN ('CREATED', 'AWAITING_PARENTS', 'READY', 'STAGED_IN')
       OR (state IN ('PREPROCESSED', 'RESTART_READY') AND session_id IS NULL))
  AND site_id = %(site_id)s
  AND (%(tags)s = '{}' OR tags @> %(tags)s::jsonb)
  AND (%(workflow)s = '' OR position(%(workflow)s in workflow) > 0)
  AND NOT (wait_for_parents AND job_id IN (SELECT job_id FROM stuck))
GROUP BY 1, 2, 3, 4, 5
ORDER BY 1, 2, 3, 4, 5
