-- Calls with what they cost, as a table for other programs, in no order: they are passed on as they are read. Partitions and the
-- minmax index on started_at leave the window.
SELECT
    id AS call_id,
    started_at,
    {texts},
    toJSONString(tags) AS tags,
    attempt_count AS attempts,
    if(usage_status = 'missing', NULL, input_tokens) AS input_tokens,
    if(usage_status = 'missing', NULL, output_tokens) AS output_tokens,
    if(usage_status = 'missing', NULL, cache_read) AS cached_tokens,
    if(corrected.call_id != '', toDecimal128(new_nusd, 9), toDecimal128(cost_nusd, 9)) / 1000000000 AS cost_usd,
    multiIf(
        corrected.call_id = '' OR cost_nusd IS NOT NULL, toString(cost_status),
        usage_status = 'measured', 'measured',
        'estimated'
    ) AS cost_status,
    CAST(corrected.call_id != '' AS Bool) AS is_corrected,
    toDecimal128(saved_nusd, 9) / 1000000000 AS saved_usd,
    toDecimal64(value_milli, 3) / 1000 AS value_units
FROM (SELECT *, input_tokens, output_tokens FROM calls WHERE {where}) AS chosen
LEFT JOIN ({corrected}) AS corrected ON chosen.id = corrected.call_id
