-- How each feature fares in a window: its clients' calls, what was asked of their answers, and what all of its calls cost,
-- copies included. Partitions and the minmax index on started_at leave the window.
SELECT
    feature,
    countIf(origin = 'client'),
    countIf(origin = 'client' AND status = 'error'),
    countIf(origin = 'client' AND status = 'cancelled'),
    quantilesTDigestIf(0.5, 0.95)(duration_ms, origin = 'client'),
    countIf(origin = 'client' AND output_status != ''),
    countIf(origin = 'client' AND output_status = 'repaired'),
    countIf(origin = 'client' AND output_status = 'failed'),
    countIf(origin != 'client'),
    sum(cost_nusd),
    sumIf(ifNull(cost_nusd, 0), cost_status != 'measured'),
    countIf(cost_nusd IS NULL)
FROM calls
WHERE {where}
GROUP BY feature
ORDER BY feature
LIMIT {{limit:UInt32}}
