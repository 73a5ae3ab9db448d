-- When the first call of a group came. Partitions leave the days since a moment.
SELECT min(started_at), count()
FROM calls
WHERE {group} AND started_at >= {{since:DateTime64(6)}}
