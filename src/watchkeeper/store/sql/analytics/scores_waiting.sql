-- Answers of clients' calls behind a cursor, in the order in which they were stored. The minmax index on stored_at leaves the
-- newest granules. What was stored a moment ago waits: a batch of another host that is older may still be on its way.
SELECT id, started_at, toUnixTimestamp64Micro(stored_at)
FROM calls
WHERE (stored_at, id) > (fromUnixTimestamp64Micro({after_us:Int64}, 'UTC'), {after_id:String})
    AND stored_at <= fromUnixTimestamp64Micro({until_us:Int64}, 'UTC')
    AND feature = {feature:String} AND environment = {environment:String} AND origin = 'client' AND status = 'ok'
    AND surface IN ('chat', 'completions', 'responses', 'messages')
ORDER BY stored_at, id
LIMIT {limit:UInt32}
