-- What the calls of clients came to in each arm of a rollout since a moment, added up over the units that were assigned.
-- Partitions and the minmax index on started_at leave the stretch since then; a rollout is of one feature only.
SELECT
    release,
    sum(calls),
    count(),
    countIf(recent > 0),
    {sums}
FROM
(
    SELECT
        toString(release) AS release,
        sipHash64({unit}) AS unit,
        countIf(is_counted) AS calls,
        countIf(is_counted AND status = 'error') AS errors,
        countIf(is_counted AND output_status = 'failed') AS parse_failures,
        countIf(is_answer) AS answers,
        countIf(is_answer AND duration_ms > {{slow_ms:Float64}}) AS slow,
        countIf(is_answer AND cost_nusd IS NOT NULL) AS priced,
        sumIf(ifNull(cost_nusd, 0), is_answer) AS nusd,
        countIf(started_at >= {{recent:DateTime64(6)}}) AS recent
    FROM
    (
        SELECT *,
            status = 'ok' OR (status = 'error' AND error_class NOT IN {{not_its_fault:Array(String)}}) AS is_counted,
            status = 'ok' AND served_from = 'upstream' AS is_answer
        FROM calls
        WHERE {of_rollout} AND origin = 'client'
    )
    GROUP BY release, unit
)
GROUP BY release
