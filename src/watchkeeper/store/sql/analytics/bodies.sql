-- The bodies of one call, by the primary key; granules are small, so little else is read.
SELECT metadata_names, metadata_values, parent_span_id, worker, snapshot, error_message, user_agent, request_path,
    request_header_names, request_header_values, request_body, request_bytes, sent_body, response_header_names,
    response_header_values, response_body, response_bytes, delivered_bytes, chunk_offsets_us, usage_raw,
    line_buckets, line_units, line_nusd_per_million, line_nusd, line_attempts, price_source, price_valid_from, routing,
    cached_age_s, output_error
FROM bodies
WHERE call_id = {id:String} AND call_started_at BETWEEN {from:DateTime64(3)} AND {to:DateTime64(3)}
LIMIT 1
