-- Of each call that ended well after several attempts, what those cost that failed. One that another attempt went on from is
-- not among them: what it had said was delivered. By the primary key of attempts. Part of other questions.
SELECT
    call_id,
    sumIf(ifNull(cost_nusd, 0), is_lost) AS lost_nusd,
    sumIf(ifNull(cost_nusd, 0), is_lost AND cost_status != 'measured') AS lost_uncertain,
    countIf(is_lost AND cost_nusd IS NULL) AS lost_unpriced
FROM
(
    SELECT call_id, cost_nusd, cost_status,
        error_class != '' AND leadInFrame(toString(kind)) OVER (
            PARTITION BY call_id ORDER BY number ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
        ) != 'continued' AS is_lost
    FROM attempts
    WHERE call_id IN (SELECT id FROM calls WHERE attempt_count > 1 AND status = 'ok' AND {where})
        AND call_started_at >= {{since:DateTime64(6)}} AND call_started_at < {{until:DateTime64(6)}}
)
GROUP BY call_id
HAVING lost_nusd > 0 OR lost_unpriced > 0
