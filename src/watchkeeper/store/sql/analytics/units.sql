-- Units of value by feature: what successful calls were said to be worth, and what was reported apart from calls, each event
-- once. Partitions and the minmax index on started_at leave the window; events are few.
SELECT feature, sum(said), sum(reported)
FROM
(
    SELECT feature, assumeNotNull(value_milli) AS said, toInt64(0) AS reported
    FROM calls
    WHERE value_milli IS NOT NULL AND status = 'ok' AND {where}
    UNION ALL
    SELECT feature, toInt64(0), units_milli
    FROM
    (
        SELECT feature, tenant, units_milli
        FROM value_events
        WHERE at >= {{since:DateTime64(6)}} AND at < {{until:DateTime64(6)}}
        ORDER BY recorded_at
        LIMIT 1 BY event_id
    )
    WHERE {where_event}
)
GROUP BY feature
