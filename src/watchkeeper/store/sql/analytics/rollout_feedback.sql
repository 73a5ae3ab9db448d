-- How far the scores given since a moment stay below the best one, added up over the sessions or calls that they are of.
-- Primary key (feature, at).
SELECT
    arm,
    count(), sum(scores), sum(lost), sum(lost * lost), sum(toFloat64(scores) * scores), sum(lost * scores)
FROM
(
    SELECT
        toString(release) AS arm,
        if(session != '', session, call_id) AS unit,
        count() AS scores,
        sum(1 - assumeNotNull(score)) AS lost
    FROM feedback
    WHERE feature = {feature:String} AND at >= {since:DateTime64(6)} AND environment = {environment:String}
        AND rollout = {rollout:String} AND score IS NOT NULL
    GROUP BY arm, unit
)
GROUP BY arm
