-- Claim transfers that are to be done now, oldest first: those of jobs that stand where they want them. Launchers
-- leave them to the site's agent while there is one. Transfers that wait are gone through by their index, and the job
-- of each is looked up by its id; OFFSET 0 keeps the planner from beginning with all jobs of the site.
WITH owner AS (
    SELECT id, kind FROM core_session WHERE id = %(session_id)s AND ended IS NULL FOR SHARE
), picked AS (
    SELECT i.id, j.name, j.workflow, j.user_workdir, j.workdir, j.site_id
    FROM core_transferitem i CROSS JOIN LATERAL (
        SELECT name, workflow, user_workdir, workdir, site_id, state, session_id, tags
        FROM core_balsamjob WHERE job_id = i.job_id OFFSET 0
    ) j
    WHERE i.state IN ('pending', 'inactive') AND i.next_try <= clock_timestamp()
      AND j.state = CASE i.direction WHEN 'in' THEN 'READY' ELSE 'POSTPROCESSED' END
      AND j.session_id IS NULL
      AND j.site_id = %(site_id)s
      AND (%(workflow)s = '' OR position(%(workflow)s in j.workflow) > 0)
      AND (%(tags)s = '{}' OR j.tags @> %(tags)s::jsonb)
      AND EXISTS (SELECT FROM owner o WHERE o.kind = 'service' OR NOT EXISTS (
          SELECT FROM core_session s WHERE s.kind = 'service' AND s.site_id = %(site_id)s AND s.ended IS NULL
            AND s.expires > clock_timestamp()))
    ORDER BY i.id
    LIMIT %(limit)s
    FOR UPDATE OF i SKIP LOCKED
)
UPDATE core_transferitem i
SET state = 'active', session_id = %(session_id)s, attempts = attempts + 1, last_update = clock_timestamp()
FROM picked p LEFT JOIN core_site s ON s.id = p.site_id
WHERE i.id = p.id
RETURNING i.id, i.job_id::text, i.attempts, i.failures, i.direction, i.slot, i.location_alias,
    coalesce(s.transfer_locations ->> i.location_alias, ''), i.remote_path, i.local_path, i.recursive, i.task_id,
    p.name, p.workflow, p.user_workdir, p.workdir
