-- A window in equal steps. Partitions and the minmax index on started_at leave the window's granules.
SELECT
    intDiv(toUnixTimestamp64Milli(started_at) - {{since_ms:Int64}}, {{step_ms:Int64}}) AS step,
    {figures}
FROM calls
WHERE {where}
GROUP BY step
