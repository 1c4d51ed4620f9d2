-- Claim runnable jobs, best first. The partial index runnable_jobs has this WHERE and this ORDER; without
-- long_first, its expression is a constant, and orders nothing.
-- The session is locked until the claim is committed, so that it cannot end and leave the claimed jobs behind.
WITH owner AS (
    SELECT host || ':' || pid AS lock FROM core_session WHERE id = %(session_id)s AND ended IS NULL FOR SHARE
), batch_job AS (  -- at sites, a job shows the batch job in which it was last run
    SELECT l.id FROM core_session s JOIN core_queuedlaunch l ON l.scheduler_id = s.scheduler_id
    WHERE s.id = %(session_id)s AND s.scheduler_id <> '' AND s.site_id = l.site_id AND l.site_id <> 1
    ORDER BY l.id DESC LIMIT 1
), picked AS (
    SELECT job_id, application
    FROM core_balsamjob
    WHERE state IN ('PREPROCESSED', 'RESTART_READY') AND session_id IS NULL
      AND num_nodes <= %(max_nodes)s
      AND (NOT %(serial_only)s OR (num_nodes = 1 AND ranks_per_node = 1))
      AND (%(max_wall_time_min)s::float8 IS NULL OR wall_time_minutes <= %(max_wall_time_min)s::float8)
      AND site_id = %(site_id)s
      AND (%(workflow)s = '' OR position(%(workflow)s in workflow) > 0)
      AND (%(tags)s = '{}' OR tags @> %(tags)s::jsonb)
      AND job_id <> ALL (%(exclude)s::uuid[])
      AND EXISTS (SELECT FROM owner)
    ORDER BY priority DESC,
        CASE WHEN %(long_first)s THEN wall_time_minutes END DESC,
        num_nodes DESC, wall_time_minutes DESC, number
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
)
UPDATE core_balsamjob j
SET session_id = %(session_id)s, lock = (SELECT lock FROM owner),
    queued_launch_id = coalesce((SELECT id FROM batch_job), j.queued_launch_id)
FROM (picked p LEFT JOIN core_applicationdefinition a ON a.name = p.application)
WHERE j.job_id = p.job_id
RETURNING j.job_id::text, j.number, j.name, j.workflow, j.attempt, j.application, j.args, a.executable, a.envscript,
    j.user_workdir, j.environ_vars::text, j.num_nodes, j.ranks_per_node, j.threads_per_rank, j.threads_per_core,
    j.cpu_affinity, j.gpus_per_rank, j.memory_mb_per_node, j.node_packing_count, j.mpi_flags, j.wall_time_minutes,
    j.priority,
    ARRAY(SELECT d.parent_id::text FROM core_jobdependency d JOIN core_balsamjob q ON q.job_id = d.parent_id
          WHERE d.child_id = j.job_id ORDER BY q.number),
    j.workdir, a.command_template, a.parameters, j.parameters, a.environment_variables,
    -- What follows is of jobs that run Python alone, and NULL otherwise.
    CASE WHEN a.command_template = '' AND (a.serialized_class <> '' OR a.class_path <> '') THEN jsonb_build_object(
        'app_id', a.id, 'version', a.version, 'job', to_jsonb(j), 'parent_ids', ARRAY(
            SELECT q.number FROM core_jobdependency d JOIN core_balsamjob q ON q.job_id = d.parent_id
            WHERE d.child_id = j.job_id ORDER BY q.number))::text
    END
