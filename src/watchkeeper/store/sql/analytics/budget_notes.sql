-- How often budgets did something to calls of a window. The minmax index on started_at leaves the window.
SELECT note, count() AS noted
FROM calls
ARRAY JOIN budget_notes AS note
WHERE started_at >= {since:DateTime64(6)} AND started_at < {until:DateTime64(6)}
GROUP BY note
ORDER BY noted DESC, note
LIMIT 10000
