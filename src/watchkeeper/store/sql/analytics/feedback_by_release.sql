-- Feedback by release, environment and name: how many, their scores, and how often each label was given.
SELECT feature, environment, release, name, count(), count(score), sum(score), sum(score * score),
    sumMap(if(label = '', map(), map(toString(label), toUInt64(1)))), sum(value_milli)
FROM
(
    SELECT feature, environment, release, name, score, label, value_milli
    FROM feedback
    WHERE {where}
    ORDER BY at
    LIMIT 1 BY feature, tenant, id
)
GROUP BY feature, environment, release, name
ORDER BY feature, environment, release, name
LIMIT {{limit:UInt32}}
