-- What judges have cost under a rule since a moment, and how many of their marks have no price. Primary key (feature, at).
SELECT sum(ifNull(cost_nusd, 0)), countIf(judge != '' AND cost_nusd IS NULL)
FROM scores
WHERE feature = {feature:String} AND rule = {rule:String} AND marked_at >= {since:DateTime64(6)}
