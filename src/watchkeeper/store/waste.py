"""What was paid for nothing, and what was saved.

The kinds of waste have no money in common: what a retried call lost counts as retries, and only the rest of it as a
repeat; a call that failed or was abandoned is nothing else.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from watchkeeper.core.usage import Usage
from watchkeeper.store.cost import Ask, conditions_of
from watchkeeper.store.cost_rows import CostScope
from watchkeeper.store.questions import Parameters, sql

WasteKind = Literal["retries", "failed", "abandoned", "repeats"]
"""retries: attempts that failed before another one succeeded. failed: calls that ended in an error. abandoned: calls
whose client left. repeats: requests answered upstream though the cache could have."""

TTL_DEFAULT_S = 600.0
"""How long answers of a route without a cache are taken to be kept: as long as `cache: {exact: {}}` would."""
ROUTED_ROWS_MAX = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Waste:
    """What one kind of waste came to in one feature."""

    kind: WasteKind
    feature: str
    calls: int
    nusd: int
    """Of those with a price, corrections applied; attempts at the price they were booked with."""
    uncertain_nusd: int
    """The part of it that is estimated or disputed."""
    unpriced_calls: int
    """Calls of which a part or all is missing from the amount."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheSaving:
    """What answers from the cache had cost when they were made."""

    feature: str
    calls: int
    nusd: int
    unpriced_calls: int
    """Answers whose cost was not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Routed:
    """What the calls of one day used at one target of a route."""

    feature: str
    route: str
    target: str
    day: datetime
    calls: int
    """Of one attempt, with counted tokens; `usage` is theirs."""
    other_calls: int
    usage: Usage


class WasteQuestions:
    """Asks what was wasted and saved."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    async def waste(self, scope: CostScope, *, ttl_s: Mapping[str, float]) -> tuple[Waste, ...]:
        """Return every kind of waste by feature.

        Args:
            scope: Which calls. A repeat is looked for among them alone.
            ttl_s: By route, how long its cache keeps an answer.
        """
        where, values = conditions_of(scope)
        parts = {
            "where": where,
            "corrected": sql("corrected").format(),
            "failed": sql("failed_attempts").format(where=where),
        }
        cached: Parameters = {
            "routes": list(ttl_s),
            "ttls_us": [round(one * 1e6) for one in ttl_s.values()],
            "ttl_us": round(TTL_DEFAULT_S * 1e6),
        }
        ended, retries, repeats = await asyncio.gather(
            self._ask(sql("waste_ended").format(**parts), values),
            self._ask(sql("waste_retries").format(**parts), values),
            self._ask(sql("waste_repeats").format(**parts), values | cached),
        )
        return (
            *(_waste("retries", row) for row in retries),
            *(
                _waste("failed" if status == "error" else "abandoned", (feature, *row))
                for feature, status, *row in ended
            ),
            *(_waste("repeats", row) for row in repeats),
        )

    async def saved_by_cache(self, scope: CostScope) -> tuple[CacheSaving, ...]:
        """Return what the cache saved by feature."""
        where, values = conditions_of(scope)
        found = await self._ask(sql("saved_by_cache").format(where=where), values)
        return tuple(
            CacheSaving(feature=feature, calls=int(calls), nusd=int(nusd), unpriced_calls=int(unpriced))
            for feature, calls, nusd, unpriced in found
        )

    async def routed(self, scope: CostScope, *, routes: Sequence[str]) -> tuple[Routed, ...]:
        """Return what calls of some routes used at which target, by feature and day; at most `ROUTED_ROWS_MAX` rows."""
        where, values = conditions_of(scope)
        text = sql("routed").format(where=where, rows=ROUTED_ROWS_MAX)
        return tuple(map(_routed, await self._ask(text, values | {"routes": list(routes)})))


def _waste(kind: WasteKind, row: Sequence[Any]) -> Waste:
    feature, calls, nusd, uncertain, unpriced = row
    return Waste(
        kind=kind,
        feature=feature,
        calls=int(calls),
        nusd=int(nusd),
        uncertain_nusd=int(uncertain),
        unpriced_calls=int(unpriced),
    )


def _routed(row: Sequence[Any]) -> Routed:
    feature, route, target, day, calls, other_calls, *buckets = row
    return Routed(
        feature=feature,
        route=route,
        target=target,
        day=day,
        calls=int(calls),
        other_calls=int(other_calls),
        usage=Usage(*map(int, buckets)),
    )
