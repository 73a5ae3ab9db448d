-- What calls used and cost by any dimensions. Partitions and the minmax index on started_at leave the window. Corrections are
-- few: what they change is added to the sums as rows of their own, found by the primary key, so that no call has to look for
-- its correction. Groups that do not fit into memory go to disk. Part of other questions.
WITH corrected AS ({corrected})
SELECT {names}, {figures}
FROM
(
    SELECT
        {dimensions},
        toInt64(1) AS calls_,
        toInt64(input_tokens) AS input_,
        toInt64(output_tokens) AS output_,
        toInt64(cache_read) AS cached_,
        toInt64(usage_status = 'missing') AS uncounted_,
        ifNull(cost_nusd, 0) AS cost_,
        if(cost_status = 'estimated', cost_, 0) AS estimated_,
        if(cost_status = 'disputed', cost_, 0) AS disputed_,
        toInt64(cost_status = 'estimated') AS estimated_calls_,
        toInt64(cost_nusd IS NULL) AS unpriced_,
        if(cost_nusd IS NULL, 0, input_ + output_) AS priced_
    FROM calls
    WHERE {where}
    UNION ALL
    SELECT
        {dimensions},
        toInt64(0),
        toInt64(0),
        toInt64(0),
        toInt64(0),
        toInt64(0),
        new_nusd - ifNull(cost_nusd, 0) AS more,
        multiIf(becomes_estimated, new_nusd, cost_status = 'estimated', more, 0),
        if(cost_status = 'disputed', more, 0),
        toInt64(becomes_estimated),
        -toInt64(cost_nusd IS NULL),
        if(cost_nusd IS NULL, toInt64(input_tokens + output_tokens), 0)
    FROM
    (
        SELECT *, input_tokens, output_tokens, cost_nusd IS NULL AND usage_status != 'measured' AS becomes_estimated
        FROM calls
        WHERE id IN (SELECT call_id FROM corrected) AND {where}
    ) AS changed
    INNER JOIN corrected ON changed.id = corrected.call_id
)
GROUP BY {names}
