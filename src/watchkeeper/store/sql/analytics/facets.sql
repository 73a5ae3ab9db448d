-- How often each value of the facet fields occurs among the matching calls, the most frequent first: one pass over the thin
-- columns, with an aggregation for each field beside the others. Bits of `others` are 1 for the fields that a row is not of.
SELECT grouping({fields}) AS others, count() AS calls, {fields}
FROM calls
WHERE {where}
GROUP BY GROUPING SETS ({sets})
ORDER BY calls DESC, {fields}
LIMIT {values} BY others
