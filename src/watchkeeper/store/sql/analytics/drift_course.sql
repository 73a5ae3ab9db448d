-- How a feature's signals went, in equal steps of a window. Partitions and the minmax index on started_at leave the window.
SELECT
    intDiv(toUnixTimestamp64Milli(started_at) - {since_ms:Int64}, {step_ms:Int64}) AS step,
    count(),
    quantileTDigestIf(0.5)(input_letters, input_letters IS NOT NULL),
    quantileTDigestIf(0.5)(output_letters, output_letters IS NOT NULL AND status = 'ok'),
    quantileTDigestIf(0.5)(duration_ms, status = 'ok'),
    countIf(answer_form != '' AND status = 'ok'),
    countIf(answer_form = 'refusal' AND status = 'ok'),
    countIf(output_status != ''),
    countIf(output_status = 'failed')
FROM calls
WHERE origin = 'client' AND empty(faults) AND feature = {feature:String}
    AND ({environment:String} = '' OR environment = {environment:String})
    AND started_at >= {since:DateTime64(6)} AND started_at < {until:DateTime64(6)}
GROUP BY step
ORDER BY step
