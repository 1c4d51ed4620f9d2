-- End a session, once.
UPDATE core_session SET ended = clock_timestamp(), end_reason = %(reason)s
WHERE id = %(session_id)s AND ended IS NULL
