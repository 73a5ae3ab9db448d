-- What scorers said of the answers of real calls. A call has one row for each scorer of a rule; where it has more, the first
-- counts. `probability` is that with which the call was drawn; a mean over all calls weighs a score by one over it.
CREATE TABLE IF NOT EXISTS scores
(
    call_id     String CODEC(ZSTD(1)),
    at          DateTime64(6, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    marked_at   DateTime64(6, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    rule        LowCardinality(String),
    feature     LowCardinality(String),
    tenant      LowCardinality(String),
    environment LowCardinality(String),
    release     LowCardinality(String),
    rollout     LowCardinality(String),
    model       LowCardinality(String),
    session     String CODEC(ZSTD(1)),
    subject     String CODEC(ZSTD(1)),
    scorer      LowCardinality(String),
    status      LowCardinality(String),
    score       Nullable(Float64),
    reason      String CODEC(ZSTD(1)),
    judge       LowCardinality(String),
    cost_nusd   Nullable(Int64),
    probability Float64,
    origin      LowCardinality(String),
    INDEX call_bloom call_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(at)
ORDER BY (feature, at, call_id)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;
