-- Claim jobs whose next step is a hook or the linking of files, oldest first. The partial index open_jobs keeps it off
-- finished jobs. The session is locked until the claim is committed, so that it cannot end and leave them behind.
WITH owner AS (
    SELECT host || ':' || pid AS lock FROM core_session WHERE id = %(session_id)s AND ended IS NULL FOR SHARE
), picked AS (
    SELECT job_id, application
    FROM core_balsamjob
    WHERE state = ANY(%(states)s) AND session_id IS NULL
      AND state NOT IN ('JOB_FINISHED', 'FAILED', 'USER_KILLED')
      AND NOT (state = 'READY' AND EXISTS (
          SELECT FROM core_transferitem t
          WHERE t.job_id = core_balsamjob.job_id AND t.direction = 'in' AND t.state <> 'done'))
      AND site_id = %(site_id)s
      AND (%(workflow)s = '' OR position(%(workflow)s in workflow) > 0)
      AND (%(tags)s = '{}' OR tags @> %(tags)s::jsonb)
      AND EXISTS (SELECT FROM owner)
    ORDER BY number
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
)
UPDATE core_balsamjob j
SET session_id = %(session_id)s, lock = (SELECT lock FROM owner)
FROM (picked p LEFT JOIN core_applicationdefinition a ON a.name = p.application)
WHERE j.job_id = p.job_id
RETURNING j.job_id::text, j.number, j.name, j.workflow, j.state, j.attempt, j.application, a.id, a.preprocess, a.postprocess,
    j.user_workdir, j.environ_vars::text, j.threads_per_rank, j.post_error_handler, j.post_timeout_handler,
    j.input_files,
    ARRAY(SELECT ARRAY[q.job_id::text, q.name, q.workflow, q.user_workdir, q.workdir, q.site_id::text]
          FROM core_jobdependency d JOIN core_balsamjob q ON q.job_id = d.parent_id
          WHERE d.child_id = j.job_id ORDER BY q.number),
    j.workdir, j.site_id, a.environment_variables
