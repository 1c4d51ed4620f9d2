-- Have the transfers of jobs done that have come to where they are wanted; with keeps_done, but for those done.
UPDATE core_transferitem
SET state = 'pending', session_id = NULL, failures = 0, task_id = '', transfer_info = '{}',
    next_try = clock_timestamp(), last_update = clock_timestamp()
WHERE job_id = ANY(%(ids)s::uuid[]) AND direction = %(direction)s
  AND NOT (%(keeps_done)s AND state = 'done')
