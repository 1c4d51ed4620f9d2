-- Renew a lease. Touches one row, however many jobs the session holds.
UPDATE core_session
SET heartbeat = clock_timestamp(), expires = clock_timestamp() + make_interval(secs => %(lease_sec)s)
WHERE id = %(session_id)s AND ended IS NULL
