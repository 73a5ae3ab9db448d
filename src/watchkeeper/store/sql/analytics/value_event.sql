-- A report of value by its id, the first one that was made; by the primary key.
SELECT feature, tenant, call_id, units_milli, at, recorded_at, source
FROM value_events
WHERE event_id = {id:String}
ORDER BY recorded_at
LIMIT 1
