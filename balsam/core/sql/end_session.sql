-- End a session, once; with only_expired, unless a heartbeat has come meanwhile.
UPDATE core_session SET ended = clock_timestamp(), end_reason = %(reason)s
WHERE id = %(session_id)s AND ended IS NULL AND (NOT %(only_expired)s OR expires < clock_timestamp())
