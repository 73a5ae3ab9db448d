-- What can be told of question and answer at a glance, so that later calls can be compared with earlier ones. A row that was
-- written before has no lengths, and empty languages and form.
ALTER TABLE calls
    ADD COLUMN IF NOT EXISTS input_letters Nullable(UInt32) CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS output_letters Nullable(UInt32) CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS input_language LowCardinality(String),
    ADD COLUMN IF NOT EXISTS output_language LowCardinality(String),
    ADD COLUMN IF NOT EXISTS answer_form LowCardinality(String);
