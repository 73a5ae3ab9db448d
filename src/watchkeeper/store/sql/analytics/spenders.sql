-- Features that have cost at least so much in a window, what costs most first. Partitions and the minmax index on
-- started_at leave the window's granules.
SELECT feature
FROM calls
WHERE {where}
GROUP BY feature
HAVING sum(ifNull(cost_nusd, 0)) >= {{least_nusd:Int64}}
ORDER BY sum(ifNull(cost_nusd, 0)) DESC
LIMIT {{limit:UInt32}}
