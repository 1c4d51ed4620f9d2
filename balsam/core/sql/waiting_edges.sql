-- The edges between jobs that wait: a cycle could only be among these.
SELECT d.parent_id, d.child_id
FROM core_jobdependency d
JOIN core_balsamjob c ON c.job_id = d.child_id AND c.state = 'AWAITING_PARENTS'
JOIN core_balsamjob p ON p.job_id = d.parent_id AND p.state = 'AWAITING_PARENTS'
