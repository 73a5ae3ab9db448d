-- Requests that an upstream answered though the cache could have: within its time from the end of the answer that it would have
-- kept, by feature. Requests that came once are left out before anything is kept of them. An answer that asks for a tool is
-- never kept. In `kept` stand: when the kept answer ended, how often it could have served, what was paid instead.
WITH
    repeatable AS
    (
        SELECT id, started_at, duration_ms, feature, route, request_hash, cost_nusd, cost_status
        FROM calls
        WHERE request_hash != 0 AND status = 'ok' AND served_from = 'upstream' AND empty(tool_names) AND {where}
    ),
    again AS
    (
        SELECT request_hash
        FROM repeatable
        GROUP BY request_hash
        HAVING count() > 1
    )
SELECT feature, sum(kept.2), sum(kept.3), sum(kept.4), sum(kept.5)
FROM
(
    SELECT
        feature,
        toInt64(transform(any(toString(route)), {{routes:Array(String)}}, {{ttls_us:Array(Int64)}}, {{ttl_us:Int64}})) AS ttl_us,
        arrayFold(
            (kept, one) -> multiIf(
                one.1 > kept.1 + ttl_us, (one.2, kept.2, kept.3, kept.4, kept.5),
                one.1 >= kept.1, (kept.1, kept.2 + 1, kept.3 + one.3, kept.4 + one.4, kept.5 + one.5),
                kept
            ),
            arraySort(groupArray((begun, ended, paid, uncertain, unpriced))),
            (toInt64(-4000000000000000000), toInt64(0), toInt64(0), toInt64(0), toInt64(0))
        ) AS kept
    FROM
    (
        SELECT
            feature,
            route,
            request_hash,
            toUnixTimestamp64Micro(started_at) AS begun,
            begun + toInt64(duration_ms * 1000) AS ended,
            if(corrected.call_id != '', new_nusd, ifNull(cost_nusd, 0)) - lost_nusd AS paid,
            if(cost_status != 'measured', paid, 0) AS uncertain,
            toInt64(cost_nusd IS NULL AND corrected.call_id = '') AS unpriced
        FROM (SELECT * FROM repeatable WHERE request_hash IN (SELECT request_hash FROM again)) AS one
        LEFT JOIN ({corrected}) AS corrected ON one.id = corrected.call_id
        LEFT JOIN ({failed}) AS failed ON one.id = failed.call_id
    )
    GROUP BY feature, request_hash
)
WHERE kept.2 > 0
GROUP BY feature
