-- What release, rollout and output parser have to do with a call, and which documents were found for it.
ALTER TABLE calls
    ADD COLUMN IF NOT EXISTS rollout LowCardinality(String),
    ADD COLUMN IF NOT EXISTS origin LowCardinality(String) DEFAULT 'client',
    ADD COLUMN IF NOT EXISTS origin_call String CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS output_schema LowCardinality(String),
    ADD COLUMN IF NOT EXISTS output_status LowCardinality(String),
    ADD COLUMN IF NOT EXISTS output_path String CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS output_repairs UInt16,
    ADD COLUMN IF NOT EXISTS hit_collections Array(LowCardinality(String)),
    ADD COLUMN IF NOT EXISTS hit_documents Array(String) CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS hit_versions Array(LowCardinality(String)),
    ADD COLUMN IF NOT EXISTS hit_scores Array(Nullable(Float64)) CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS is_stale Bool;

ALTER TABLE bodies ADD COLUMN IF NOT EXISTS output_error String CODEC(ZSTD(1));
