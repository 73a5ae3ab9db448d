-- How far the scores of each scorer of a rule stay below the best one, for one release or all of them in a stretch of time, added
-- up over the sessions or calls that they are of. Primary key (feature, at).
SELECT
    scorer,
    count(), sum(scores), sum(lost), sum(lost * lost), sum(toFloat64(scores) * scores), sum(lost * scores)
FROM
(
    SELECT scorer, if(session != '', session, call_id) AS unit, count() AS scores, sum(1 - assumeNotNull(score)) AS lost
    FROM
    (
        SELECT call_id, session, toString(scorer) AS scorer, score
        FROM scores
        WHERE feature = {feature:String} AND environment = {environment:String} AND rule = {rule:String}
            AND at >= {since:DateTime64(6)} AND at < {until:DateTime64(6)} AND score IS NOT NULL
            AND release = {release:String}
        ORDER BY marked_at
        LIMIT 1 BY call_id, scorer
    )
    GROUP BY scorer, unit
)
GROUP BY scorer
