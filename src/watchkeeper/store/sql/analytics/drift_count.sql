-- How many calls of a group there are in a window. Partitions and the minmax index on started_at leave the window.
SELECT count() FROM calls WHERE {group} AND started_at >= {{since:DateTime64(6)}} AND started_at < {{until:DateTime64(6)}}
