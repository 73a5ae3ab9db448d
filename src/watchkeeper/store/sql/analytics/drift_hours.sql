-- Calls of each feature in each environment, by hour. Partitions leave the days.
SELECT feature, environment, toUnixTimestamp(toStartOfHour(started_at)) AS hour, count()
FROM calls
WHERE origin = 'client' AND feature != '' AND empty(faults)
    AND started_at >= {since:DateTime64(6)} AND started_at < {until:DateTime64(6)}
GROUP BY feature, environment, hour
ORDER BY feature, environment, hour
LIMIT {limit:UInt32}
