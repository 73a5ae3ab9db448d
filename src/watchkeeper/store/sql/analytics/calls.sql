-- A page of calls, newest first. Reads the primary key backwards and stops when the page is full.
SELECT {columns}
FROM calls
WHERE {where}
ORDER BY id DESC
LIMIT {{limit:UInt32}}
SETTINGS optimize_read_in_order = 1
