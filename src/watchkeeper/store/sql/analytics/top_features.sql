-- What costs most, by feature.
SELECT
    feature,
    countIf({own}) AS calls,
    sum(cost_nusd) AS nusd,
    countIf(cost_status = 'unpriced') AS unpriced
FROM calls
WHERE {where}
GROUP BY feature
ORDER BY nusd DESC NULLS LAST, calls DESC
LIMIT 10
