-- The jobs of transfers that a session holds.
-- ids: bigint[]
SELECT DISTINCT job_id FROM core_transferitem WHERE id = ANY(%(ids)s::bigint[]) AND session_id = %(session_id)s
