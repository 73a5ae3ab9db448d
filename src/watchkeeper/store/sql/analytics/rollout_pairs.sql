-- Calls of a shadow beside those that they copy. Partitions and the minmax index on started_at leave the stretch since the
-- rollout's start for both sides of the join. Answers are the same by their first 200 letters, their tools and their length.
SELECT
    count(),
    countIf(own_status = 'ok' AND status = 'ok'),
    countIf(own_status = 'ok' AND status = 'ok' AND is_same),
    countIf(own_status = 'ok' AND status != 'ok'),
    countIf(own_status != 'ok' AND status = 'ok'),
    countIf(is_compared),
    sumIf(ifNull(own_nusd, 0), is_compared),
    sumIf(ifNull(cost_nusd, 0), is_compared),
    avgIf(duration_ms - own_duration_ms, own_status = 'ok' AND status = 'ok')
FROM ({pairs})
