-- Take those of the given jobs that are free and have not ended, for a script; nothing for an ended session.
-- ids: uuid[]
WITH owner AS (
    SELECT host || ':' || pid AS lock FROM core_session WHERE id = %(session_id)s AND ended IS NULL FOR SHARE
), picked AS (
    SELECT job_id FROM core_balsamjob
    WHERE job_id = ANY(%(ids)s::uuid[]) AND session_id IS NULL
      AND state NOT IN ('JOB_FINISHED', 'FAILED', 'USER_KILLED')
      AND EXISTS (SELECT FROM owner)
    FOR UPDATE SKIP LOCKED
)
UPDATE core_balsamjob j SET session_id = %(session_id)s, lock = (SELECT lock FROM owner)
FROM picked p WHERE j.job_id = p.job_id
RETURNING j.job_id
