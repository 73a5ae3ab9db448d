-- Calls of a stretch of time in the order of their ids, a page at a time: primary key, in the days that are asked for.
SELECT id, started_at, tenant, usage_status, cost_nusd, cost_status,
    input_uncached, cache_read, cache_write_5m, cache_write_1h, output_text, output_reasoning, audio_in, audio_out,
    image_in, image_out, server_tools
FROM calls
WHERE started_at >= {since:DateTime64(6)} AND started_at < {until:DateTime64(6)} AND id > {after:String}
    AND ({feature:String} = '' OR feature = {feature:String})
ORDER BY id
LIMIT {limit:UInt32}
