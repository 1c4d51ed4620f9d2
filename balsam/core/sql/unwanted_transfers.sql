-- Of the transfers that a session thinks it has, those that are not its any more.
-- known: bigint[]
SELECT k.id
FROM unnest(%(known)s::bigint[]) AS k(id)
LEFT JOIN core_transferitem i ON i.id = k.id AND i.session_id = %(session_id)s
WHERE i.id IS NULL
