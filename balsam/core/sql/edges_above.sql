-- The edges at and above the parents of edges just inserted, where a cycle would be. An edge whose child is
-- nobody's parent closes none and is not followed: the usual case costs nothing.
-- parents, children: uuid[] of the new edges
WITH RECURSIVE above AS (
    SELECT f.parent_id AS job_id
    FROM unnest(%(parents)s::uuid[], %(children)s::uuid[]) AS f(parent_id, child_id)
    WHERE EXISTS (SELECT 1 FROM core_jobdependency d WHERE d.parent_id = f.child_id)
    UNION
    SELECT d.parent_id FROM above a JOIN core_jobdependency d ON d.child_id = a.job_id
)
SELECT d.parent_id, d.child_id FROM above a JOIN core_jobdependency d ON d.child_id = a.job_id
