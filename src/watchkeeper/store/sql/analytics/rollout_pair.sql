-- Each call of a shadow with the one that it copies, which began a little earlier. Part of other questions.
SELECT
    copy.id AS id,
    own.id AS own_id,
    copy.started_at AS started_at,
    toString(copy.status) AS status,
    toString(own.status) AS own_status,
    copy.cost_nusd AS cost_nusd,
    own.cost_nusd AS own_nusd,
    copy.duration_ms AS duration_ms,
    own.duration_ms AS own_duration_ms,
    copy.cost_nusd IS NOT NULL AND own.cost_nusd IS NOT NULL AS is_compared,
    copy.output_preview = own.output_preview AND copy.tool_names = own.tool_names
        AND copy.output_text = own.output_text AS is_same
FROM
(
    SELECT id, origin_call, started_at, status, cost_nusd, duration_ms, output_preview, tool_names, output_text
    FROM calls
    WHERE {of_rollout} AND origin = 'shadow'
) AS copy
INNER JOIN
(
    SELECT id, status, cost_nusd, duration_ms, output_preview, tool_names, output_text
    FROM calls
    WHERE {of_rollout} AND origin = 'client'
) AS own ON own.id = copy.origin_call
