-- Moves that are not in the table of transitions, but for those that users ask for.
-- from_states, to_states: text[], the table
SELECT e.job_id, format('event %%s: %%s to %%s', e.id, e.from_state, e.to_state)
FROM core_jobevent e
WHERE e.from_state <> e.to_state AND e.cause NOT IN ('user', 'birth')
  AND (e.from_state, e.to_state) NOT IN (SELECT * FROM unnest(%(from_states)s::text[], %(to_states)s::text[]))
LIMIT %(max_rows)s
