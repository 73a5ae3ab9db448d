-- Feedback, the newest first, each once. Partitions and the primary key leave the window; a call or a session is found by its
-- index.
SELECT id, at, call_id, session, feature, tenant, release, environment, rollout, name, score, label, comment, value_milli, by
FROM feedback
WHERE {where}
ORDER BY at DESC, id
LIMIT 1 BY feature, tenant, id
LIMIT {{limit:UInt32}}
