-- One row: the number of groups, the sums over all of them, and the dearest, of which only so many are kept at a time.
SELECT
    count(),
    {totals},
    groupArraySorted({limit})(tuple(-g_cost, -g_calls, {names}, {sums}))
FROM ({groups})
