-- What the calls of a page are said to cost by their latest correction: primary key, in the days that are asked for.
SELECT call_id, argMax(new_nusd, recorded_at)
FROM corrections
WHERE call_started_at >= {since:DateTime64(6)} AND call_started_at < {until:DateTime64(6)}
    AND call_id BETWEEN {first:String} AND {last:String}
GROUP BY call_id
