-- What prices depend on beside tokens, what a tenant is charged, and corrections of what calls cost.

ALTER TABLE calls
    ADD COLUMN IF NOT EXISTS image_in     UInt64 CODEC(T64, ZSTD(1)),
    ADD COLUMN IF NOT EXISTS image_out    UInt64 CODEC(T64, ZSTD(1)),
    ADD COLUMN IF NOT EXISTS server_tools UInt64 CODEC(T64, ZSTD(1)),
    -- What the tenant is charged; NULL where that is the cost.
    ADD COLUMN IF NOT EXISTS charged_nusd Nullable(Int64) CODEC(ZSTD(1)),
    MODIFY COLUMN input_tokens UInt64
        ALIAS input_uncached + cache_read + cache_write_5m + cache_write_1h + audio_in + image_in,
    MODIFY COLUMN output_tokens UInt64 ALIAS output_text + output_reasoning + audio_out + image_out;

ALTER TABLE attempts
    ADD COLUMN IF NOT EXISTS image_in     UInt64 CODEC(T64, ZSTD(1)),
    ADD COLUMN IF NOT EXISTS image_out    UInt64 CODEC(T64, ZSTD(1)),
    ADD COLUMN IF NOT EXISTS server_tools UInt64 CODEC(T64, ZSTD(1)),
    ADD COLUMN IF NOT EXISTS service_tier LowCardinality(String);

-- What a call costs after all. The call's own row stays as it is: its cost is now the sum of that row and of its
-- corrections' deltas, and the latest correction's `new_nusd` says the same. `old_nusd` is NULL where it had no price.
CREATE TABLE IF NOT EXISTS corrections
(
    call_id         String CODEC(ZSTD(1)),
    call_started_at DateTime64(6, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    recorded_at     DateTime64(6, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    old_nusd        Nullable(Int64) CODEC(ZSTD(1)),
    new_nusd        Int64 CODEC(ZSTD(1)),
    delta_nusd      Int64 ALIAS new_nusd - ifNull(old_nusd, 0),
    price_source    LowCardinality(String),
    reason          LowCardinality(String),
    actor           LowCardinality(String)
)
ENGINE = MergeTree
PARTITION BY toYYYYMMDD(call_started_at)
ORDER BY (call_id, recorded_at)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1,
    min_bytes_for_wide_part = 67108864, min_parts_to_merge_at_once = 8, auto_statistics_types = '';
