-- Calls in the order in which they were stored, behind a cursor. The minmax index on stored_at leaves the newest granules.
SELECT {columns}
FROM calls
WHERE (stored_at, id) > (fromUnixTimestamp64Micro({{after_us:Int64}}, 'UTC'), {{after_id:String}}) AND {where}
ORDER BY stored_at, id
LIMIT {{limit:UInt32}}
