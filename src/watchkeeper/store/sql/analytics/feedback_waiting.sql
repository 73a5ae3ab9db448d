-- What the spool brought and nobody has sorted out yet, the oldest first, so much of each key that none stands in the way of the
-- others; a range of the primary key.
SELECT *
FROM
(
    SELECT entry, taken_in_at, id, received_at, key_id, feature, tenant, call_id, session, name, score, label, comment, value_milli
    FROM feedback_inbox
    WHERE taken_in_at >= {since:DateTime64(6)} AND entry NOT IN
    (
        SELECT entry FROM feedback_sorted WHERE taken_in_at >= {since:DateTime64(6)}
    )
    ORDER BY taken_in_at, entry
    LIMIT 1 BY entry
)
ORDER BY taken_in_at, entry
LIMIT {of_key:UInt32} BY key_id
LIMIT {limit:UInt32}
