-- What costs most, by target.
SELECT
    if(provider = '', '', concat(provider, '/', model)) AS target,
    countIf({own}) AS calls,
    sum(cost_nusd) AS nusd,
    countIf(cost_status = 'unpriced') AS unpriced
FROM calls
WHERE {where}
GROUP BY target
ORDER BY nusd DESC NULLS LAST, calls DESC
LIMIT 10
