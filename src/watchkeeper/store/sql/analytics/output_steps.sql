-- Answers that were held against a schema, and those that failed, by step of a window and release.
SELECT
    intDiv(toUnixTimestamp64Milli(started_at) - {{since_ms:Int64}}, {{step_ms:Int64}}) AS step,
    release,
    count(),
    countIf(output_status = 'failed')
FROM calls
WHERE origin = 'client' AND output_status != '' AND {where}
GROUP BY step, release
