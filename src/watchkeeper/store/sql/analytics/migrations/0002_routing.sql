-- What routing, the cache and the rules about failures leave behind. A row that was written before has no values in these
-- columns; what it shows then is computed from the others where that is certain, and is empty or unknown otherwise.

ALTER TABLE calls
    ADD COLUMN IF NOT EXISTS served_from   LowCardinality(String) DEFAULT if(status = 'ok', 'upstream', ''),
    ADD COLUMN IF NOT EXISTS saved_nusd    Nullable(Int64) CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS faults        Array(LowCardinality(String)),
    ADD COLUMN IF NOT EXISTS change        String CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS skipped_events UInt64 CODEC(T64, ZSTD(1));

ALTER TABLE attempts
    ADD COLUMN IF NOT EXISTS kind             LowCardinality(String) DEFAULT if(number = 1, 'first', ''),
    ADD COLUMN IF NOT EXISTS waited_ms        Float64 CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS first_token_ms   Nullable(Float64) CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS error_code       LowCardinality(String),
    ADD COLUMN IF NOT EXISTS fault            LowCardinality(String),
    ADD COLUMN IF NOT EXISTS input_uncached   UInt64 CODEC(T64, ZSTD(1)),
    ADD COLUMN IF NOT EXISTS cache_read       UInt64 CODEC(T64, ZSTD(1)),
    ADD COLUMN IF NOT EXISTS cache_write_5m   UInt64 CODEC(T64, ZSTD(1)),
    ADD COLUMN IF NOT EXISTS cache_write_1h   UInt64 CODEC(T64, ZSTD(1)),
    ADD COLUMN IF NOT EXISTS output_text      UInt64 CODEC(T64, ZSTD(1)),
    ADD COLUMN IF NOT EXISTS output_reasoning UInt64 CODEC(T64, ZSTD(1)),
    ADD COLUMN IF NOT EXISTS audio_in         UInt64 CODEC(T64, ZSTD(1)),
    ADD COLUMN IF NOT EXISTS audio_out        UInt64 CODEC(T64, ZSTD(1)),
    ADD COLUMN IF NOT EXISTS usage_status     LowCardinality(String) DEFAULT 'missing',
    ADD COLUMN IF NOT EXISTS cost_nusd        Nullable(Int64) CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS cost_status      LowCardinality(String) DEFAULT 'unpriced';

ALTER TABLE bodies
    ADD COLUMN IF NOT EXISTS line_attempts Array(UInt16),
    ADD COLUMN IF NOT EXISTS routing       String CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS cached_age_s  Nullable(Float64);
