-- runs_since
-- Whether a launcher younger than a time has started a job since an event. The primary key keeps it off older events.
SELECT EXISTS (
    SELECT FROM core_jobevent e JOIN core_session s ON s.id = e.session_id
    WHERE e.id > %(event)s AND e.to_state = 'RUNNING' AND e.from_state <> e.to_state
      AND s.kind = 'launcher' AND s.created > %(launchers_from)s
), (SELECT coalesce(max(id), 0) FROM core_jobevent)
