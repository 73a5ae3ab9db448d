    SELECT at, feature, tenant, environment, release, rollout, toString(scorer) AS name, toString(status) AS status, score,
        1 / probability AS weight, cost_nusd, toString(origin) AS origin
    FROM scores
    WHERE {where}
    ORDER BY marked_at
    LIMIT 1 BY rule, call_id, scorer
    UNION ALL
    SELECT at, feature, tenant, environment, release, rollout, concat('feedback:', name) AS name, 'scored' AS status, score,
        1 AS weight, CAST(NULL, 'Nullable(Int64)') AS cost_nusd, 'feedback' AS origin
    FROM feedback
    WHERE {where} AND score IS NOT NULL
    ORDER BY at
    LIMIT 1 BY feature, tenant, id
