-- The same figures over a whole window.
SELECT {figures}
FROM calls
WHERE {where}
