-- What calls took from each account, ever: one pass over all charges, in the order of the primary key.
SELECT key, sum(ifNull(amount, 0))
FROM charges
GROUP BY key
