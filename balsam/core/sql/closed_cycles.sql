-- The (parent, child) edges whose child is an ancestor of its parent. Each ancestor is visited once; a child
-- without children of its own cannot be one.
WITH RECURSIVE edge AS (
    SELECT * FROM unnest(%(parents)s::uuid[], %(children)s::uuid[]) AS e(parent_id, child_id)
    WHERE EXISTS (SELECT 1 FROM core_jobdependency d WHERE d.parent_id = e.child_id)
), ancestor AS (
    SELECT parent_id AS start, parent_id AS job_id FROM edge
    UNION
    SELECT a.start, d.parent_id FROM ancestor a JOIN core_jobdependency d ON d.child_id = a.job_id
)
SELECT e.parent_id, e.child_id FROM edge e JOIN ancestor a ON a.start = e.parent_id AND a.job_id = e.child_id
