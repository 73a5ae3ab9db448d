-- What recomputing a period at other prices has changed: the latest row of a call says what it cost.
CREATE TABLE IF NOT EXISTS corrections
(
    call_id         String,
    call_started_at DateTime64(6, 'UTC'),
    recorded_at     DateTime64(6, 'UTC'),
    old_nusd        Nullable(Int64),
    new_nusd        Int64,
    price_source    String,
    reason          String,
    actor           String
)
ENGINE = MergeTree
ORDER BY (call_id, recorded_at);
