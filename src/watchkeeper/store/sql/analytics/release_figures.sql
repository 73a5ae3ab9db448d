-- How each release of a feature fares in a window, by environment, with its clients' calls. Partitions and the minmax index on
-- started_at leave the window. Squares of costs are for their spread.
SELECT
    release,
    environment,
    count(),
    countIf(status = 'error'),
    quantilesTDigest(0.5, 0.95)(duration_ms),
    countIf(output_status = 'ok'),
    countIf(output_status = 'repaired'),
    countIf(output_status = 'failed'),
    sum(cost_nusd),
    countIf(cost_nusd IS NOT NULL),
    sumIf(pow(toFloat64(ifNull(cost_nusd, 0)), 2), cost_nusd IS NOT NULL),
    countIf(cost_status = 'estimated'),
    min(started_at),
    max(started_at)
FROM calls
WHERE origin = 'client' AND release != '' AND {where}
GROUP BY release, environment
ORDER BY count() DESC
LIMIT {{limit:UInt32}}
