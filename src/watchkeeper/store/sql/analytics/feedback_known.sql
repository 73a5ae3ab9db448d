-- Feedback that is there under some ids, the first of each; by the index of ids.
SELECT id, at, call_id, session, feature, tenant, release, environment, rollout, name, score, label, comment, value_milli, by
FROM feedback
WHERE id IN {ids:Array(String)}
ORDER BY at
LIMIT 1 BY feature, tenant, id
