-- What can be looked up: versions of collections, the documents of each, and the passages of each document.

-- Passages belong to a document's content, not to a version: what two versions share is kept and embedded once.
CREATE TABLE IF NOT EXISTS index_passages
(
    collection    LowCardinality(String),
    method        LowCardinality(String),
    document      String CODEC(ZSTD(1)),
    document_hash String CODEC(ZSTD(1)),
    part          UInt32,
    title         String CODEC(ZSTD(1)),
    text          String CODEC(ZSTD(3)),
    -- 32-bit floats, little-endian.
    vector        String CODEC(NONE),
    added_at      DateTime64(6, 'UTC')
)
ENGINE = MergeTree
ORDER BY (collection, method, document, document_hash, part)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1,
    index_granularity = 1024;

CREATE TABLE IF NOT EXISTS index_documents
(
    collection    LowCardinality(String),
    build         String,
    document      String CODEC(ZSTD(1)),
    document_hash String CODEC(ZSTD(1)),
    title         String CODEC(ZSTD(1)),
    passages      UInt32
)
ENGINE = MergeTree
ORDER BY (collection, build, document)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;

-- Written last: who finds a version finds all of it. Built again, a version has a second row, and the later one counts.
CREATE TABLE IF NOT EXISTS index_versions
(
    collection       LowCardinality(String),
    version          String,
    content          String,
    build            String,
    embedding        LowCardinality(String),
    method           LowCardinality(String),
    documents        UInt32,
    passages         UInt32,
    letters          UInt64,
    left_out_paths   Array(String),
    left_out_reasons Array(String),
    left_out         UInt32,
    built_at         DateTime64(6, 'UTC'),
    built_by         LowCardinality(String)
)
ENGINE = MergeTree
ORDER BY (collection, version)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;

-- What people and programs thought of a call or a session. Feature, tenant, release, environment and rollout are those of the
-- call, or of the session's latest call.
CREATE TABLE IF NOT EXISTS feedback
(
    id          String CODEC(ZSTD(1)),
    at          DateTime64(6, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    call_id     String CODEC(ZSTD(1)),
    session     String CODEC(ZSTD(1)),
    feature     LowCardinality(String),
    tenant      LowCardinality(String),
    release     LowCardinality(String),
    environment LowCardinality(String),
    rollout     LowCardinality(String),
    name        LowCardinality(String),
    score       Nullable(Float64),
    label       LowCardinality(String),
    comment     String CODEC(ZSTD(1)),
    value_milli Nullable(Int64),
    by          LowCardinality(String),
    INDEX id_bloom id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX call_bloom call_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX session_bloom session TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(at)
ORDER BY (feature, at, id)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;

-- As the spool brought it: whose call it is about, and whether the key may speak about that, is not known yet. What has been
-- sorted out is in `feedback_sorted`; after a week both are forgotten.
CREATE TABLE IF NOT EXISTS feedback_inbox
(
    entry       String,
    taken_in_at DateTime64(6, 'UTC'),
    id          String,
    received_at DateTime64(6, 'UTC'),
    key_id      String,
    feature     String,
    tenant      String,
    call_id     String,
    session     String,
    name        String,
    score       Nullable(Float64),
    label       String,
    comment     String,
    value_milli Nullable(Int64)
)
ENGINE = MergeTree
ORDER BY (taken_in_at, entry)
TTL toDateTime(taken_in_at) + INTERVAL 7 DAY
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS feedback_sorted
(
    entry       String,
    taken_in_at DateTime64(6, 'UTC'),
    outcome     LowCardinality(String),
    reason      String
)
ENGINE = MergeTree
ORDER BY (taken_in_at, entry)
TTL toDateTime(taken_in_at) + INTERVAL 8 DAY
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;

ALTER TABLE calls ADD INDEX IF NOT EXISTS hit_documents_bloom hit_documents TYPE bloom_filter(0.01) GRANULARITY 4;
