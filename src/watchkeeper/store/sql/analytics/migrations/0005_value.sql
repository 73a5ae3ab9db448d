-- Units of value, and what finds requests that were asked before. A row that was written before has neither.
ALTER TABLE calls
    ADD COLUMN IF NOT EXISTS value_milli  Nullable(Int64) CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS request_hash UInt64 CODEC(NONE);

-- What was reported apart from calls. A second row of the same event is not counted; in the order of ids, a report of one
-- that is there already is found at once.
CREATE TABLE IF NOT EXISTS value_events
(
    event_id    String,
    feature     LowCardinality(String),
    tenant      LowCardinality(String),
    call_id     String,
    units_milli Int64,
    at          DateTime64(6, 'UTC'),
    recorded_at DateTime64(6, 'UTC'),
    source      LowCardinality(String)
)
ENGINE = MergeTree
ORDER BY event_id
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;
