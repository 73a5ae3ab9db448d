-- The attempts of a page of calls: primary key, in the days that are asked for.
SELECT call_id, number, provider, model, dialect, started_ms, usage_status, cost_nusd, cost_status, service_tier,
    input_uncached, cache_read, cache_write_5m, cache_write_1h, output_text, output_reasoning, audio_in, audio_out,
    image_in, image_out, server_tools
FROM attempts
WHERE call_started_at >= {since:DateTime64(6)} AND call_started_at < {until:DateTime64(6)}
    AND call_id BETWEEN {first:String} AND {last:String}
ORDER BY call_id, number
