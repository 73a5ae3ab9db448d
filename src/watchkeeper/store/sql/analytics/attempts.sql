-- The attempts of one call, by the primary key.
SELECT number, provider, model, dialect, started_ms, connect_ms, first_byte_ms, ended_ms, http_status, error_class,
    error_message, upstream_request_id, request_bytes, response_bytes
FROM attempts
WHERE call_id = {id:String} AND call_started_at BETWEEN {from:DateTime64(3)} AND {to:DateTime64(3)}
ORDER BY number
