-- write_batch_jobs
-- Write what has become of batch jobs: the rows of a JSON array, all columns that an observation may change.
UPDATE core_queuedlaunch q
SET scheduler_id = r.scheduler_id, queue = r.queue, project = r.project, nodes = r.nodes,
    wall_minutes = r.wall_minutes, state = r.state, seen_by_name = r.seen_by_name, status = r.status,
    submitted = r.submitted, started = r.started, ended = r.ended, missing_since = r.missing_since,
    "end" = r."end", reason = r.reason
FROM jsonb_to_recordset(%(rows)s::jsonb) AS r(
    id bigint, scheduler_id text, queue text, project text, nodes int, wall_minutes int, state text,
    seen_by_name boolean, status text, submitted timestamptz, started timestamptz, ended timestamptz,
    missing_since timestamptz, "end" text, reason text
)
WHERE q.id = r.id
