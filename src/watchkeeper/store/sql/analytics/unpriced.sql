-- Models that were paid for at a price that is not known, what was asked most first. Partitions by day leave the window's;
-- of those, two narrow columns are read.
SELECT
    provider,
    model,
    uniqExact(call_id) AS calls,
    sum(input_uncached + cache_read + cache_write_5m + cache_write_1h + output_text + output_reasoning + audio_in + audio_out)
        AS tokens,
    min(call_started_at) AS first_at
FROM attempts
WHERE call_started_at >= {since:DateTime64(6)} AND call_started_at < {until:DateTime64(6)}
    AND cost_status = 'unpriced' AND usage_status != 'missing'
GROUP BY provider, model
ORDER BY calls DESC, provider, model
LIMIT {limit:UInt32}
