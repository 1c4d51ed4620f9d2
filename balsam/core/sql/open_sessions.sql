-- Those of the given sessions that have not ended.
SELECT id FROM core_session WHERE id = ANY(%(ids)s::bigint[]) AND ended IS NULL
