-- What answers from the cache had cost when they were made, by feature. Partitions and the minmax index on started_at leave
-- the window.
SELECT feature, count(), sum(ifNull(saved_nusd, 0)), countIf(saved_nusd IS NULL)
FROM calls
WHERE served_from IN ('cache', 'stale_cache') AND {where}
GROUP BY feature
