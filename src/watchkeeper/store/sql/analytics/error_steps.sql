-- Failed calls of a window by step and class.
SELECT
    intDiv(toUnixTimestamp64Milli(started_at) - {{since_ms:Int64}}, {{step_ms:Int64}}) AS step,
    error_class,
    count()
FROM calls
WHERE status = 'error' AND {where}
GROUP BY step, error_class
