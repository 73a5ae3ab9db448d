-- So many calls at equal distances up to now, with words from a vocabulary; {first} and {count} choose a slice of {total}.
INSERT INTO {table}
WITH
    number + {first} AS n,
    now64(6, 'UTC') - toIntervalMicrosecond(intDiv(({total} - n) * {days} * 86400000000, {total})) AS at,
    toUnixTimestamp64Milli(at) AS at_ms,
    '0123456789ABCDEFGHJKMNPQRSTVWXYZ' AS digits,
    arrayStringConcat(arrayMap(i -> substring(digits, bitAnd(bitShiftRight(at_ms, 5 * (9 - i)), 31) + 1, 1), range(10))) AS head,
    arrayStringConcat(arrayMap(i -> substring(digits, bitAnd(bitShiftRight(n, 5 * (15 - i)), 31) + 1, 1), range(4, 16))) AS tail,
    concat(head, 'BNCH', tail) AS call_id,
    arrayStringConcat(arrayMap(i -> concat('w', toString(sipHash64(n, i) % 20000)), range(24)), ' ') AS asked,
    arrayStringConcat(arrayMap(i -> concat('w', toString(sipHash64(n, i, 1) % 20000)), range(60)), ' ') AS answered,
    sipHash64(n, 'k') AS k,
    if(k % 50 = 0, 'error', 'ok') AS ended,
    toFloat32(200 + 1800 * pow((k % 1000) / 1000, 3)) AS lasted_ms
SELECT {columns}
FROM numbers({count})
