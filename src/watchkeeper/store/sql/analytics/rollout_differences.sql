-- The newest pairs of a shadow whose answers differ: see rollout_pairs.
SELECT own_id, id, started_at
FROM ({pairs})
WHERE own_status = 'ok' AND status = 'ok' AND NOT is_same
ORDER BY id DESC
LIMIT {{limit:UInt32}}
