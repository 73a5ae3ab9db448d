-- The latest client's call of each session, of every key, feature and tenant that has used its name; by the index of sessions.
SELECT session, id, started_at, session, key_id, feature, tenant, release, environment, rollout
FROM calls
WHERE session IN {sessions:Array(String)} AND started_at >= {since:DateTime64(3)} AND origin = 'client'
ORDER BY id DESC
LIMIT 1 BY session, key_id, feature, tenant
