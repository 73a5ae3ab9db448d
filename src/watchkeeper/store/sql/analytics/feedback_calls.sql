-- What calls say about themselves that feedback goes by; by the primary key, in the days that the ids leave.
SELECT id, id, started_at, session, key_id, feature, tenant, release, environment, rollout
FROM calls
WHERE id IN {ids:Array(String)} AND started_at BETWEEN {from:DateTime64(3)} AND {to:DateTime64(3)}
