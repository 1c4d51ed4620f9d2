-- Open a session; its lease runs by the database clock.
INSERT INTO core_session (kind, site_id, label, scheduler_id, host, boot_id, pid, start_time, status, expires)
VALUES (%(kind)s, %(site_id)s, %(label)s, %(scheduler_id)s, %(host)s, %(boot_id)s, %(pid)s, %(start_time)s,
        %(about)s::jsonb,
        clock_timestamp() + make_interval(secs => %(lease_sec)s))
RETURNING id, kind, host, boot_id, pid, start_time, extract(epoch FROM expires - clock_timestamp())
