-- The corrections of one call, the oldest first, by the primary key.
SELECT recorded_at, old_nusd, new_nusd, price_source, reason, actor
FROM corrections
WHERE call_id = {id:String}
ORDER BY recorded_at
