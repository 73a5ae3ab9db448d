-- The beginnings of what was asked and answered in some calls of a group, one of each session. As `drift_sample`.
SELECT id, input_preview, if(status = 'ok' AND served_from = 'upstream', output_preview, '')
FROM
(
    SELECT id, session, input_preview, output_preview, status, served_from
    FROM calls
    WHERE {group} AND started_at >= {{since:DateTime64(6)}} AND started_at < {{until:DateTime64(6)}}
        AND cityHash64(id) % {{one_in:UInt32}} = 0
    ORDER BY cityHash64(id)
    LIMIT 1 BY if(session != '', session, id)
    LIMIT {{limit:UInt32}}
)
