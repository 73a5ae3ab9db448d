-- One call by its id: primary key, in the two days that the id's own time leaves.
SELECT {columns}, reported_model, trace_id, stored_at,
    saved_nusd, change, skipped_events, charged_nusd, origin_call, output_schema, output_path, output_repairs,
    hit_collections, hit_documents, hit_versions, hit_scores, is_stale,
    input_uncached, cache_read, cache_write_5m, cache_write_1h, output_text, output_reasoning, audio_in, audio_out,
    image_in, image_out, server_tools
FROM calls
WHERE id = {{id:String}} AND started_at BETWEEN {{from:DateTime64(3)}} AND {{to:DateTime64(3)}}
LIMIT 1
