-- Answers that were held against a schema, and those that failed, by feature: of late, and before that. Partitions and the
-- minmax index on started_at leave the window.
SELECT
    feature,
    countIf(started_at >= {late:DateTime64(6)}) AS checked,
    countIf(started_at >= {late:DateTime64(6)} AND output_status = 'failed') AS failed,
    countIf(started_at < {late:DateTime64(6)}),
    countIf(started_at < {late:DateTime64(6)} AND output_status = 'failed'),
    argMaxIf(id, started_at, output_status = 'failed'),
    argMaxIf(release, started_at, output_status = 'failed')
FROM calls
WHERE origin = 'client' AND output_status != ''
    AND started_at >= {since:DateTime64(6)} AND started_at < {until:DateTime64(6)}
GROUP BY feature
ORDER BY failed DESC, checked DESC
LIMIT {limit:UInt32}
