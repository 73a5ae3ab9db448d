-- What the store holds; from the system tables, no data is read.
SELECT
    sumIf(rows, table = 'calls') AS calls,
    sum(bytes_on_disk) AS bytes,
    uniqExactIf(partition, table = 'calls') AS days,
    minIf(partition, table = 'calls') AS oldest
FROM system.parts
WHERE database = currentDatabase() AND active AND table IN ('calls', 'attempts', 'bodies')
