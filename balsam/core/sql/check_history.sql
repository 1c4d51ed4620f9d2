-- Jobs whose history is no unbroken path from CREATED to their state.
WITH step AS (
    SELECT job_id, from_state, to_state, id,
           lag(to_state, 1, 'CREATED') OVER history AS came_from,
           row_number() OVER (PARTITION BY job_id ORDER BY id DESC) = 1 AS is_last
    FROM core_jobevent WINDOW history AS (PARTITION BY job_id ORDER BY id)
)
SELECT job_id, format('event %%s leaves %%s, but the job was in %%s', id, from_state, came_from)
FROM step WHERE from_state <> came_from
UNION ALL
SELECT j.job_id, format('the history ends in %%s, but the job is in %%s', coalesce(s.to_state, 'CREATED'), j.state)
FROM core_balsamjob j LEFT JOIN step s ON s.job_id = j.job_id AND s.is_last
WHERE coalesce(s.to_state, 'CREATED') <> j.state
LIMIT %(max_rows)s
