-- Write entries of the history, dated now.
INSERT INTO core_jobevent (job_id, from_state, to_state, message)
SELECT e.job_id, e.from_state, e.to_state, e.message
FROM unnest(%(ids)s::uuid[], %(from_states)s::text[], %(to_states)s::text[], %(messages)s::text[])
    AS e(job_id, from_state, to_state, message)
