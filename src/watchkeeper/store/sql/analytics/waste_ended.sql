-- Calls that failed, or whose client left, and that cost something. Partitions and the minmax index on started_at leave the
-- window; what is left is little, and is joined to its corrections.
SELECT
    feature,
    status,
    count(),
    sum(paid),
    sumIf(paid, cost_status != 'measured'),
    countIf(is_unpriced)
FROM
(
    SELECT feature, toString(status) AS status, cost_status,
        if(corrected.call_id != '', new_nusd, ifNull(cost_nusd, 0)) AS paid,
        cost_nusd IS NULL AND corrected.call_id = '' AS is_unpriced
    FROM (SELECT * FROM calls WHERE status IN ('error', 'cancelled') AND attempt_count > 0 AND {where}) AS ended
    LEFT JOIN ({corrected}) AS corrected ON ended.id = corrected.call_id
)
WHERE paid > 0 OR is_unpriced
GROUP BY feature, status
