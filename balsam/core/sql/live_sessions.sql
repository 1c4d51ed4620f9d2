-- Sessions (at these sites; NULL: at all) that have not ended, with the seconds their lease still lasts.
SELECT id, kind, host, boot_id, pid, start_time, extract(epoch FROM expires - clock_timestamp())
FROM core_session WHERE ended IS NULL AND (%(sites)s::bigint[] IS NULL OR site_id = ANY (%(sites)s::bigint[]))
ORDER BY id
