-- How long the answers of one release took in a stretch of time. Partitions and the minmax index on started_at leave it.
SELECT count(), quantileTDigest(0.95)(duration_ms)
FROM calls
WHERE feature = {feature:String} AND environment = {environment:String} AND release = {release:String}
    AND started_at >= {since:DateTime64(6)} AND started_at < {until:DateTime64(6)}
    AND origin = 'client' AND status = 'ok' AND served_from = 'upstream'
