-- The latest correction of each call of a window; few. Part of other questions.
SELECT call_id, argMax(new_nusd, recorded_at) AS new_nusd
FROM corrections
WHERE call_started_at >= {{since:DateTime64(6)}} AND call_started_at < {{until:DateTime64(6)}}
GROUP BY call_id
