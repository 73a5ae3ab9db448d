-- Scores by feature, environment, release and name, and by day where that is asked: those of scorers, and what people said under
-- `feedback:NAME`. Means weigh each score by one over the probability with which its call was drawn. Primary keys (feature, at).
SELECT {groups}, any(origin), count(), countIf(status = 'passed'), countIf(status = 'failed'), countIf(status = 'unmeasured'),
    count(score), sum(weight * score), sumIf(weight, score IS NOT NULL), sumIf(weight * weight, score IS NOT NULL),
    sum(weight * weight * score), sum(weight * weight * score * score), sum(ifNull(cost_nusd, 0)), min(at), max(at)
FROM
(
{all}
)
WHERE {named}
GROUP BY {groups}
ORDER BY {groups}
LIMIT {{limit:UInt32}}
