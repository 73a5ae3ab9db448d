-- The cursor behind everything that has been stored.
SELECT id, stored_at
FROM calls
WHERE stored_at >= now64(6) - INTERVAL 1 DAY
ORDER BY stored_at DESC, id DESC
LIMIT 1
