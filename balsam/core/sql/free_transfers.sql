-- Let others do what a session holds and does not know of, or all that it held when it has ended.
UPDATE core_transferitem SET state = 'pending', session_id = NULL, last_update = clock_timestamp()
WHERE session_id = %(session_id)s AND id <> ALL (%(known)s::bigint[])
