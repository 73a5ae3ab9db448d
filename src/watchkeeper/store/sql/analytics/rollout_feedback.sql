-- Scores that were given to the calls of each release since a moment, added up over the calls or sessions that they are of.
SELECT
    arm,
    countIf(scores > 0), sum(scores), sum(score), sum(score * score), sum(toFloat64(scores) * scores), sum(score * scores)
FROM
(
    SELECT toString(release) AS arm, if(session != '', session, call_id) AS unit, count() AS scores,
        sum(assumeNotNull(feedback.score)) AS score
    FROM feedback
    WHERE feature = {feature:String} AND environment = {environment:String} AND at >= {since:DateTime64(6)}
        AND feedback.score IS NOT NULL
    GROUP BY arm, unit
)
GROUP BY arm
