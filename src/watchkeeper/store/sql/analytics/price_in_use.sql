-- The latest price that a call was booked with. Partitions leave the days since; few columns are read.
SELECT price_source, price_valid_from
FROM bodies
WHERE call_started_at >= {since:DateTime64(6)} AND price_source != ''
ORDER BY call_started_at DESC
LIMIT 1
