-- Calls of a group in a window without their texts: one of each session, the same ones at every question. Of very many calls,
-- one in so many is read. Partitions and the minmax index on started_at leave the window.
SELECT
    toUnixTimestamp64Micro(started_at) / 1e6,
    input_letters,
    output_letters,
    duration_ms,
    status = 'ok' AND served_from = 'upstream',
    toString(input_language),
    toString(output_language),
    toString(answer_form),
    toString(finish_reason),
    arrayStringConcat(arraySort(tool_names), ' '),
    toString(output_status)
FROM
(
    SELECT *, if(session != '', session, id) AS unit
    FROM calls
    WHERE {group} AND started_at >= {{since:DateTime64(6)}} AND started_at < {{until:DateTime64(6)}}
        AND cityHash64(id) % {{one_in:UInt32}} = 0
    ORDER BY cityHash64(id)
    LIMIT 1 BY unit
    LIMIT {{limit:UInt32}}
)
