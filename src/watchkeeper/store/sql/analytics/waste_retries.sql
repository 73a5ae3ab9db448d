-- What failed attempts of calls cost that ended well, by feature. Few calls have several attempts.
SELECT feature, count(), sum(lost_nusd), sum(lost_uncertain), countIf(lost_unpriced > 0)
FROM (SELECT id, feature FROM calls WHERE attempt_count > 1 AND status = 'ok' AND {where}) AS retried
INNER JOIN ({failed}) AS failed ON retried.id = failed.call_id
GROUP BY feature
