-- Groups of calls with what they cost, dearest first, as a table for other programs. Sorted on disk where memory is too small.
SELECT
    {names},
    g_calls AS calls,
    g_input AS input_tokens,
    g_output AS output_tokens,
    g_cached AS cached_tokens,
    g_uncounted AS uncounted_calls,
    if(g_calls > 0 AND g_unpriced = g_calls, NULL, toDecimal128(g_cost, 9) / 1000000000) AS cost_usd,
    toDecimal128(g_estimated, 9) / 1000000000 AS estimated_usd,
    toDecimal128(g_disputed, 9) / 1000000000 AS disputed_usd,
    g_unpriced AS unpriced_calls
FROM ({groups})
ORDER BY g_cost DESC, g_calls DESC, {keys}
