-- What calls took from which budgets, as the ledger has booked it: its sums are the sums of these rows and of its own.

CREATE TABLE IF NOT EXISTS charges
(
    call_id         String CODEC(ZSTD(1)),
    call_started_at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    key             String CODEC(ZSTD(1)),
    rule            LowCardinality(String),
    unit            LowCardinality(String),
    held            Int64 CODEC(ZSTD(1)),
    drawn           Int64 CODEC(ZSTD(1)),
    amount          Nullable(Int64) CODEC(ZSTD(1)),
    INDEX call_bloom call_id TYPE bloom_filter(0.001) GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMMDD(call_started_at)
ORDER BY (key, call_started_at, call_id)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1,
    min_bytes_for_wide_part = 67108864, min_parts_to_merge_at_once = 8, auto_statistics_types = '';

ALTER TABLE calls ADD COLUMN IF NOT EXISTS budget_notes Array(LowCardinality(String));
