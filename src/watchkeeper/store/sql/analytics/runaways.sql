-- Sessions, or keys where calls name none, that the guard has stopped in a window: a scan of its refused calls.
SELECT feature, session, key_id, count() AS stopped, min(started_at), argMax(id, started_at)
FROM calls
WHERE error_class = 'runaway' AND started_at >= {since:DateTime64(6)} AND started_at < {until:DateTime64(6)}
GROUP BY feature, session, key_id
ORDER BY stopped DESC
LIMIT {limit:UInt32}
