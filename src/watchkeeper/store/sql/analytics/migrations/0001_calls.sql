-- Settings of all three tables: a repeated insert token adds nothing; an insert is on disk when it returns; a fresh part is
-- one file for all columns, a tenth cheaper to write; parts are merged many at a time, so that a row is rewritten less often.

-- One thin row per call, for lists and charts. In order of the id, which is in order of time: the newest are at the end,
-- a window of time is a range, and an id names its own place.
CREATE TABLE IF NOT EXISTS calls
(
    id                String CODEC(ZSTD(1)),
    started_at        DateTime64(6, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    stored_at         DateTime64(6, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    feature           LowCardinality(String),
    tenant            LowCardinality(String),
    subject           String CODEC(ZSTD(1)),
    session           String CODEC(ZSTD(1)),
    key_id            LowCardinality(String),
    environment       LowCardinality(String),
    release           LowCardinality(String),
    route             LowCardinality(String),
    surface           LowCardinality(String),
    provider          LowCardinality(String),
    model             LowCardinality(String),
    requested_model   LowCardinality(String),
    reported_model    LowCardinality(String),
    is_stream         Bool,
    status            LowCardinality(String),
    http_status       UInt16,
    error_class       LowCardinality(String),
    error_code        LowCardinality(String),
    attempt_count     UInt16,
    usage_status      LowCardinality(String),
    input_uncached    UInt64 CODEC(T64, ZSTD(1)),
    cache_read        UInt64 CODEC(T64, ZSTD(1)),
    cache_write_5m    UInt64 CODEC(T64, ZSTD(1)),
    cache_write_1h    UInt64 CODEC(T64, ZSTD(1)),
    output_text       UInt64 CODEC(T64, ZSTD(1)),
    output_reasoning  UInt64 CODEC(T64, ZSTD(1)),
    audio_in          UInt64 CODEC(T64, ZSTD(1)),
    audio_out         UInt64 CODEC(T64, ZSTD(1)),
    input_tokens      UInt64 ALIAS input_uncached + cache_read + cache_write_5m + cache_write_1h + audio_in,
    output_tokens     UInt64 ALIAS output_text + output_reasoning + audio_out,
    cost_nusd         Nullable(Int64) CODEC(ZSTD(1)),
    cost_status       LowCardinality(String),
    duration_ms       Float64 CODEC(ZSTD(1)),
    first_token_ms    Nullable(Float64) CODEC(ZSTD(1)),
    overhead_ms       Float64 CODEC(ZSTD(1)),
    finish_reason     LowCardinality(String),
    tool_names        Array(LowCardinality(String)),
    tags              Array(LowCardinality(String)),
    trace_id          String CODEC(ZSTD(1)),
    input_preview     String CODEC(ZSTD(1)),
    output_preview    String CODEC(ZSTD(1)),
    -- Lower-case text of question and answer, longer than the previews; read by search only.
    words             String CODEC(ZSTD(1)),
    INDEX started_at_range started_at TYPE minmax GRANULARITY 1,
    INDEX stored_at_range stored_at TYPE minmax GRANULARITY 1,
    INDEX id_bloom id TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX trace_bloom trace_id TYPE bloom_filter(0.01) GRANULARITY 4,
    INDEX session_bloom session TYPE bloom_filter(0.01) GRANULARITY 4,
    INDEX subject_bloom subject TYPE bloom_filter(0.01) GRANULARITY 4,
    INDEX words_text words TYPE text(tokenizer = 'splitByNonAlpha')
)
ENGINE = MergeTree
PARTITION BY toYYYYMMDD(started_at)
ORDER BY id
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1,
    min_bytes_for_wide_part = 67108864, min_parts_to_merge_at_once = 8, auto_statistics_types = '';

-- One row per attempt; fetched with its call.
CREATE TABLE IF NOT EXISTS attempts
(
    call_id             String CODEC(ZSTD(1)),
    call_started_at     DateTime64(6, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    number              UInt16,
    provider            LowCardinality(String),
    model               LowCardinality(String),
    dialect             LowCardinality(String),
    started_ms          Float64 CODEC(ZSTD(1)),
    connect_ms          Nullable(Float64) CODEC(ZSTD(1)),
    first_byte_ms       Nullable(Float64) CODEC(ZSTD(1)),
    ended_ms            Float64 CODEC(ZSTD(1)),
    http_status         UInt16,
    error_class         LowCardinality(String),
    error_message       String CODEC(ZSTD(1)),
    upstream_request_id String CODEC(ZSTD(1)),
    request_bytes       UInt64 CODEC(T64, ZSTD(1)),
    response_bytes      UInt64 CODEC(T64, ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toYYYYMMDD(call_started_at)
ORDER BY (call_id, number)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1,
    min_bytes_for_wide_part = 67108864, min_parts_to_merge_at_once = 8, auto_statistics_types = '';

-- The fat part of a call, fetched by its id only: small granules, bounded in bytes, so that one call costs one small read.
CREATE TABLE IF NOT EXISTS bodies
(
    call_id              String CODEC(ZSTD(1)),
    call_started_at      DateTime64(6, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    metadata_names       Array(String) CODEC(ZSTD(1)),
    metadata_values      Array(String) CODEC(ZSTD(1)),
    parent_span_id       String CODEC(ZSTD(1)),
    worker               LowCardinality(String),
    snapshot             LowCardinality(String),
    error_message        String CODEC(ZSTD(1)),
    user_agent           LowCardinality(String),
    request_path         LowCardinality(String),
    request_header_names  Array(LowCardinality(String)),
    request_header_values Array(String) CODEC(ZSTD(1)),
    request_body         String CODEC(ZSTD(1)),
    request_bytes        UInt64,
    sent_body            Nullable(String) CODEC(ZSTD(1)),
    response_header_names  Array(LowCardinality(String)),
    response_header_values Array(String) CODEC(ZSTD(1)),
    response_body        String CODEC(ZSTD(1)),
    response_bytes       UInt64,
    delivered_bytes      UInt64,
    -- Little-endian, 4 bytes each: as an array it made ingest of streams a third slower.
    chunk_offsets_us     String CODEC(ZSTD(1)),
    usage_raw            String CODEC(ZSTD(1)),
    line_buckets         Array(LowCardinality(String)),
    line_units           Array(UInt64),
    line_nusd_per_million Array(Int64),
    line_nusd            Array(Int64),
    price_source         LowCardinality(String),
    price_valid_from     Nullable(DateTime64(3, 'UTC'))
)
ENGINE = MergeTree
PARTITION BY toYYYYMMDD(call_started_at)
ORDER BY call_id
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1,
    min_bytes_for_wide_part = 67108864, min_parts_to_merge_at_once = 8, auto_statistics_types = '',
    index_granularity = 256, index_granularity_bytes = 1048576;
