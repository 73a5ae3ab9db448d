-- How often each value of the facet fields occurs among the matching calls: one pass over the thin columns.
SELECT {sums}
FROM calls
WHERE {where}
