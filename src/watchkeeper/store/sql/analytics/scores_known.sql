-- Which of some calls have been marked under a rule; by the index of calls, in the stretch of time that their ids leave.
SELECT DISTINCT call_id
FROM scores
WHERE feature = {feature:String} AND at BETWEEN {from:DateTime64(6)} AND {to:DateTime64(6)}
    AND rule = {rule:String} AND call_id IN {ids:Array(String)}
