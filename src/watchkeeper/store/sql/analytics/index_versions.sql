-- Versions of indexes, the latest built first; by the primary key.
SELECT collection, version, content, build, embedding, method, documents, passages, letters, left_out_paths,
    left_out_reasons, left_out, built_at, built_by
FROM index_versions
WHERE {where}
ORDER BY built_at DESC, version
LIMIT 1 BY collection, version
LIMIT {{limit:UInt32}}
