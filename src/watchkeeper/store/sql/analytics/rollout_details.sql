-- What is shown of each arm beside what it is judged by: how long answers take, what they cost, which errors there were.
-- Partitions and the minmax index on started_at leave the stretch since the rollout's start.
SELECT
    toString(release) AS arm,
    toString(origin) AS origin_name,
    count(),
    countIf(is_answer),
    quantilesTDigestIf(0.5, 0.95)(duration_ms, is_answer),
    sumIf(ifNull(cost_nusd, 0), is_answer),
    sumIf(ifNull(cost_nusd, 0), is_answer AND cost_status = 'estimated'),
    countIf(is_answer AND cost_nusd IS NULL),
    sumMap(if(status = 'error', map(toString(error_class), 1), map())),
    countIf(output_status = 'failed'),
    countIf(output_status = 'repaired')
FROM (SELECT *, status = 'ok' AND served_from = 'upstream' AS is_answer FROM calls WHERE {of_rollout})
GROUP BY arm, origin_name
