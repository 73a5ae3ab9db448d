-- What was used in each full hour, and how far the cost can be relied on. Partitions and the minmax index on started_at
-- leave the window's granules.
SELECT
    toUnixTimestamp(toStartOfHour(started_at)) AS hour,
    count() AS calls,
    sum(input_tokens) + sum(output_tokens) AS tokens,
    sum(ifNull(cost_nusd, 0)) AS nusd,
    sumIf(ifNull(cost_nusd, 0), cost_status = 'estimated') AS estimated_nusd,
    countIf(cost_status = 'unpriced') AS unpriced,
    countIf(notEmpty(faults)) AS drilled
FROM calls
WHERE {where}
GROUP BY hour
ORDER BY hour
