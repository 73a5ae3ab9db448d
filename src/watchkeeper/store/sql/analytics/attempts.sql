-- The attempts of one call, by the primary key.
SELECT number, provider, model, dialect, started_ms, connect_ms, first_byte_ms, ended_ms, http_status, error_class,
    error_message, upstream_request_id, request_bytes, response_bytes, kind, waited_ms, first_token_ms, error_code, fault,
    usage_status, cost_nusd, cost_status, service_tier,
    input_uncached, cache_read, cache_write_5m, cache_write_1h, output_text, output_reasoning, audio_in, audio_out,
    image_in, image_out, server_tools
FROM attempts
WHERE call_id = {id:String} AND call_started_at BETWEEN {from:DateTime64(3)} AND {to:DateTime64(3)}
ORDER BY number
