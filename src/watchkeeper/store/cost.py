"""What calls cost, by any dimensions: the dearest groups, and the rest of them in one sum.

The cost of a call is that of its latest correction, else what ingest booked. A call that was unpriced and has been
corrected counts as measured where its tokens were, else as estimated.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, date, datetime
from itertools import starmap
from operator import sub
from typing import Any, get_args
from zoneinfo import ZoneInfo

from watchkeeper.store.cost_rows import CostAnswer, CostGroup, CostScope, Dimension, Named, Spend
from watchkeeper.store.questions import Parameters, sql

Ask = Callable[[str, Parameters], Awaitable[Sequence[tuple[Any, ...]]]]

GROUPS_MAX = 10_000
"""Listed in one answer; exports have no such limit."""
_COLUMNS: dict[Dimension, str] = {name: name for name in get_args(Named)} | {
    "key": "key_id",
    "tag": "arrayJoin(if(empty(tags), [''], arrayDistinct(tags)))",
    "hour": "toUnixTimestamp(toStartOfHour(started_at, {tz:String}))",
    "day": "toDate(started_at, {tz:String})",
    "week": "toMonday(started_at, {tz:String})",
    "month": "toStartOfMonth(started_at, {tz:String})",
}
FIGURES = ("calls", "input", "output", "cached", "uncounted", "cost", "estimated", "disputed", "estimated_calls",
            "unpriced", "priced")  # fmt: skip
"""Of a `Spend`, in its order."""


class CostQuestions:
    """Asks what calls cost."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    async def by(
        self, scope: CostScope, *dimensions: Dimension, tz: str = "UTC", limit: int = GROUPS_MAX
    ) -> CostAnswer:
        """Return the dearest groups of calls, what the others come to, and the total.

        Args:
            scope: Which calls.
            dimensions: Each at most once; none gives the total alone. By `tag`, a call counts under each of its tags,
                and without any under the empty one.
            tz: Name of the time zone whose clocks say what an hour, day, week or month is. An hour that a change of the
                clocks repeats is two.
            limit: Groups to list, 1 to `GROUPS_MAX`.
        """
        if "tag" not in dimensions:
            return _answer(await self._groups(scope, dimensions, tz, limit), dimensions, tz)
        grouped, whole = await asyncio.gather(
            self._groups(scope, dimensions, tz, limit), self._groups(scope, (), tz, 1)
        )
        return _answer(grouped, dimensions, tz, total=_spend(whole[1:-1]))

    async def total(self, scope: CostScope) -> Spend:
        """Return what all calls together come to."""
        return (await self.by(scope, limit=1)).total

    async def _groups(self, scope: CostScope, dimensions: Sequence[Dimension], tz: str, limit: int) -> tuple[Any, ...]:
        groups, values = groups_of(scope, dimensions, tz)
        text = sql("cost").format(
            groups=groups,
            names=", ".join(_names(dimensions)),
            totals=", ".join(f"sum(g_{one})" for one in FIGURES),
            sums=", ".join(f"g_{one}" for one in FIGURES),
            limit=max(1, min(limit, GROUPS_MAX)),
        )
        (found,) = await self._ask(text, values)
        return found


def groups_of(scope: CostScope, dimensions: Sequence[Dimension], tz: str) -> tuple[str, Parameters]:
    """Write the question for groups: a column `k0`, `k1`, ... for each dimension, and `g_...` for each of `FIGURES`."""
    conditions, values = conditions_of(scope)
    names = _names(dimensions)
    chosen = [f"{column_of(one)} AS {name}" for one, name in zip(dimensions, names, strict=False)] or ["0 AS k0"]
    text = sql("cost_groups").format(
        dimensions=", ".join(chosen),
        names=", ".join(names),
        figures=", ".join(f"sum({one}_) AS g_{one}" for one in FIGURES),
        where=conditions,
        corrected=sql("corrected").format(),
    )
    return text, values | {"tz": tz}


def _names(dimensions: Sequence[Dimension]) -> list[str]:
    return [f"k{place}" for place in range(max(1, len(dimensions)))]


def column_of(dimension: Dimension) -> str:
    """Return the expression that a dimension stands for."""
    return _COLUMNS[dimension]


def conditions_of(scope: CostScope) -> tuple[str, Parameters]:
    """Write the conditions of a scope and the values they refer to, which are always bound."""
    terms = ["started_at >= {since:DateTime64(6)}", "started_at < {until:DateTime64(6)}", named(scope)]
    values: Parameters = {"since": scope.since.astimezone(UTC), "until": scope.until.astimezone(UTC)}
    for name, value in scope.where:
        values.setdefault(f"in_{name}", []).append(value)
    return " AND ".join(terms), values


def named(scope: CostScope) -> str:
    """Write the conditions of a scope, but for the time; `conditions_of` returns their values."""
    terms = [
        "hasAny(if(empty(tags), [''], tags), {in_tag:Array(String)})"
        if name == "tag"
        else f"{_COLUMNS[name]} IN {{in_{name}:Array(String)}}"
        for name in dict.fromkeys(name for name, _ in scope.where)
    ]
    return " AND ".join(terms) or "true"


def _answer(found: tuple[Any, ...], by: tuple[Dimension, ...], tz: str, *, total: Spend | None = None) -> CostAnswer:
    count, *sums, rows = found
    width = max(1, len(by))
    listed = [row[2 + width :] for row in rows] if by else []
    groups = tuple(
        CostGroup(
            names=tuple(name_of(one, name, tz) for one, name in zip(by, row[2 : 2 + width], strict=True)),
            spend=_spend(figures),
        )
        for row, figures in zip(rows, listed, strict=False)
    )
    rest = starmap(sub, zip(sums, map(sum, zip(*listed, strict=True)), strict=True)) if listed else ()
    has_other = bool(by) and count > len(groups)
    return CostAnswer(
        by=by,
        total=total or _spend(sums),
        groups=groups,
        other=_spend(tuple(rest)) if has_other else None,
        other_groups=int(count) - len(groups) if has_other else 0,
    )


def name_of(dimension: Dimension, value: Any, tz: str) -> str:
    """Write what the store calls a group by."""
    if dimension == "hour":
        return datetime.fromtimestamp(value, ZoneInfo(tz)).isoformat()
    return value.isoformat() if isinstance(value, date) else str(value)


def _spend(figures: Sequence[Any]) -> Spend:
    calls, sent, made, cached, uncounted, cost, estimated, disputed, estimated_calls, unpriced, priced = map(
        int, figures
    )
    return Spend(
        calls=calls,
        input_tokens=sent,
        output_tokens=made,
        cached_tokens=cached,
        uncounted_calls=uncounted,
        cost_nusd=cost if calls > unpriced or not calls else None,
        estimated_nusd=estimated,
        disputed_nusd=disputed,
        estimated_calls=estimated_calls,
        unpriced_calls=unpriced,
        priced_tokens=priced,
    )
