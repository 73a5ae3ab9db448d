-- What calls used at the target that answered them, by feature, route and day. Calls of several attempts are counted apart:
-- what they used is not that of one target.
SELECT
    feature,
    toString(route),
    concat(provider, '/', model) AS target,
    toStartOfDay(started_at) AS day,
    countIf(is_plain),
    countIf(NOT is_plain),
    sumIf(input_uncached, is_plain), sumIf(cache_read, is_plain), sumIf(cache_write_5m, is_plain),
    sumIf(cache_write_1h, is_plain), sumIf(output_text, is_plain), sumIf(output_reasoning, is_plain),
    sumIf(audio_in, is_plain), sumIf(audio_out, is_plain)
FROM (SELECT *, attempt_count = 1 AND usage_status != 'missing' AS is_plain FROM calls
    WHERE status = 'ok' AND served_from = 'upstream' AND {where})
WHERE route IN {{routes:Array(String)}}
GROUP BY feature, route, target, day
ORDER BY feature, route, target, day
LIMIT {rows}
