-- The texts of some calls; by the primary key, whose granules are small.
SELECT call_id, request_body, response_body
FROM bodies
WHERE call_id IN {ids:Array(String)} AND call_started_at BETWEEN {from:DateTime64(3)} AND {to:DateTime64(3)}
