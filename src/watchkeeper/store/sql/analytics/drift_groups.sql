-- The groups of calls that are looked at together, in a window, the largest first. Partitions and the minmax index on
-- started_at leave the window. Calls that a fault of a drill has met say nothing.
SELECT feature, environment, release, concat(provider, '/', model) AS target, count() AS calls
FROM calls
WHERE origin = 'client' AND feature != '' AND model != '' AND empty(faults)
    AND started_at >= {since:DateTime64(6)} AND started_at < {until:DateTime64(6)}
GROUP BY feature, environment, release, target
HAVING calls >= {least:UInt32}
ORDER BY calls DESC, feature, environment, release, target
LIMIT {limit:UInt32}
