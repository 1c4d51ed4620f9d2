-- Let others do what a session held that has ended.
UPDATE core_transferitem SET state = 'pending', session_id = NULL, last_update = clock_timestamp()
WHERE session_id = %(session_id)s
