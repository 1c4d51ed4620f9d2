-- Lock jobs in the order of their ids (so that two batches cannot deadlock) and return what decides their next step.
-- What belongs to each job is looked up by its id; EXISTS would let the planner read the whole of the other tables.
-- ids: uuid[]
SELECT j.job_id, j.name, j.state, j.attempt, j.session_id, j.pending_parents, j.on_parent_failure,
       a.id IS NOT NULL AS app_known,
       coalesce(a.preprocess, '') <> '' AS has_preprocess,
       coalesce(a.postprocess, '') <> '' AS has_postprocess,
       j.stage_in_url ~ '\S' OR slots.are_in AS transfers_in,
       j.input_files <> '' AND coalesce(
           (SELECT true FROM core_jobdependency d WHERE d.child_id = j.job_id LIMIT 1), false) AS links_parents,
       (j.stage_out_url ~ '\S' AND j.stage_out_files ~ '\S') OR slots.are_out AS transfers_out,
       j.wait_for_parents, j.post_error_handler, j.post_timeout_handler, j.auto_timeout_retry,
       j.timeouts, j.max_timeout_retries, j.errors, j.max_error_retries, j.hook_moved,
       j.site_id
FROM core_balsamjob j
LEFT JOIN core_applicationdefinition a ON a.name = j.application
CROSS JOIN LATERAL (
    SELECT coalesce(bool_or(direction = 'in'), false) AS are_in, coalesce(bool_or(direction = 'out'), false) AS are_out
    FROM core_transferitem WHERE job_id = j.job_id AND slot <> ''
) slots
WHERE j.job_id = ANY(%(ids)s::uuid[])
ORDER BY j.job_id
FOR NO KEY UPDATE OF j
