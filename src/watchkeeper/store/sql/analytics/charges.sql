-- What one call took from which budgets. The days of its partition are read, by the index of its id.
SELECT key, rule, unit, held, drawn, amount
FROM charges
WHERE call_id = {id:String} AND call_started_at BETWEEN {from:DateTime64(3)} AND {to:DateTime64(3)}
ORDER BY rule, key
