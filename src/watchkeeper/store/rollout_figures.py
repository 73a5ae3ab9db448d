"""What the calls of a rollout came to: the figures that its arms are compared by, and those shown beside them."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from watchkeeper.releases.judging import QUIET_S, ArmFigures
from watchkeeper.releases.metrics import MetricName
from watchkeeper.releases.sequential import Sums
from watchkeeper.releases.standing import Sticky
from watchkeeper.store.cost import Ask
from watchkeeper.store.questions import Parameters, sql

NOT_ITS_FAULT = ("authentication", "rate_limited", "budget_exceeded", "runaway", "overloaded", "not_recorded")
"""Classes of errors that say nothing about a release: such calls are not counted, and neither are those whose client
left."""
_OF_ROLLOUT = (
    "feature = {feature:String} AND environment = {environment:String} AND rollout = {rollout:String}"
    " AND started_at >= {since:DateTime64(6)}"
)
_UNITS: dict[Sticky, str] = {
    "subject": "multiIf(subject != '', subject, session != '', session, id)",
    "session": "multiIf(session != '', session, subject != '', subject, id)",
    "call": "id",
}
"""What a call was assigned by."""
_METRICS: tuple[tuple[MetricName, str, str], ...] = (
    ("errors", "calls", "errors"),
    ("parse_failures", "calls", "parse_failures"),
    ("latency", "answers", "slow"),
    ("cost", "priced", "nusd"),
)
"""Of a unit: how many observations it has, and what they add up to."""
_SUMS = (
    "countIf({count} > 0), sum({count}), sum({total}), sum(toFloat64({total}) * {total}),"
    " sum(toFloat64({count}) * {count}), sum(toFloat64({total}) * {count})"
)
_FIRST = 4
"""Columns before the sums."""
_EACH = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """Which calls are asked for."""

    rollout: str
    feature: str
    environment: str
    since: datetime
    """Inclusive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmDetails:
    """What is shown of one arm."""

    release: str
    is_shadow: bool
    calls: int
    answers: int
    """That came from a provider."""
    p50_ms: float | None
    """Of the answers; None where there are none."""
    p95_ms: float | None
    nusd: int
    """Of the answers that have a price."""
    estimated_nusd: int
    """The part of it whose status is estimated."""
    unpriced: int
    """Answers without a price."""
    errors: dict[str, int] = field(default_factory=dict[str, int])
    """By class, also of those that say nothing about a release."""
    parse_failures: int = 0
    repaired: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """Calls of clients beside their copies under the release that is tried."""

    pairs: int
    both_answered: int
    same: int
    """Of those: same first 200 letters, same tools, same length."""
    only_own_answered: int
    only_copy_answered: int
    priced: int
    """Pairs of which both prices are known; the two amounts are theirs."""
    own_nusd: int
    copy_nusd: int
    slower_ms: float | None
    """By how much copies took longer on average where both were answered; None where none were."""


class RolloutQuestions:
    """Asks about the calls of a rollout."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    async def arms(
        self, of: Followed, *, now: datetime, sticky: Sticky, slow_ms: float | None, feedback: bool
    ) -> dict[str, ArmFigures]:
        """Return the figures of each release that has calls.

        Args:
            of: From the moment at which the rollout's step began.
            now: The present.
            sticky: What a call was assigned by: what is observed of one unit is not independent.
            slow_ms: Answers that took longer are slow; None where nobody knows: latency is left out.
            feedback: Whether scores are wanted.
        """
        sums = ", ".join(_SUMS.format(count=count, total=total) for _, count, total in _METRICS)
        text = sql("rollout_arms").format(sums=sums, unit=_UNITS[sticky], of_rollout=_OF_ROLLOUT)
        recent = max(of.since, now - timedelta(seconds=QUIET_S))
        values = _bound(of) | {"slow_ms": slow_ms or 0.0, "recent": _utc(recent), "not_its_fault": list(NOT_ITS_FAULT)}
        rows, scores = await asyncio.gather(self._ask(text, values), self._scores(of, wanted=feedback))
        left_out = () if slow_ms is not None else ("latency",)
        return {str(row[0]): _figures(row, left_out, scores.get(str(row[0]))) for row in rows}

    async def details(self, of: Followed) -> tuple[ArmDetails, ...]:
        """Return what is shown of each arm, that of clients' calls first."""
        rows = await self._ask(sql("rollout_details").format(of_rollout=_OF_ROLLOUT), _bound(of))
        found = [_details(row) for row in rows if row[1] in ("client", "shadow")]
        return tuple(sorted(found, key=lambda one: (one.is_shadow, one.release)))

    async def slow_from(
        self, feature: str, environment: str, release: str, since: datetime, until: datetime
    ) -> tuple[int, float | None]:
        """Return how many answers a release gave in a stretch of time, and the time that 95 % of them took at most."""
        values = {"feature": feature, "environment": environment, "release": release}
        ((count, slow_ms),) = await self._ask(
            sql("rollout_slow"), values | {"since": _utc(since), "until": _utc(until)}
        )
        return int(count), float(slow_ms) if count else None

    async def pairs(self, of: Followed) -> Pairs:
        """Compare the copies of a shadow with the calls they copy."""
        pair = sql("rollout_pair").format(of_rollout=_OF_ROLLOUT)
        ((pairs, both, same, only_own, only_copy, priced, own, copy, slower),) = await self._ask(
            sql("rollout_pairs").format(pairs=pair), _bound(of)
        )
        return Pairs(
            pairs=int(pairs),
            both_answered=int(both),
            same=int(same),
            only_own_answered=int(only_own),
            only_copy_answered=int(only_copy),
            priced=int(priced),
            own_nusd=int(own),
            copy_nusd=int(copy),
            slower_ms=float(slower) if both else None,
        )

    async def differences(self, of: Followed, *, limit: int) -> tuple[tuple[str, str], ...]:
        """Return the newest pairs whose answers differ: the id of the client's call and of its copy."""
        pair = sql("rollout_pair").format(of_rollout=_OF_ROLLOUT)
        rows = await self._ask(sql("rollout_differences").format(pairs=pair), _bound(of) | {"limit": limit})
        return tuple((str(own), str(copy)) for own, copy, _ in rows)

    async def _scores(self, of: Followed, *, wanted: bool) -> dict[str, Sums]:
        rows = await self._ask(sql("rollout_feedback"), _bound(of)) if wanted else ()
        return {str(release): _sums(row) for release, *row in rows}


def _bound(of: Followed) -> Parameters:
    return {
        "rollout": of.rollout,
        "feature": of.feature,
        "environment": of.environment,
        "since": _utc(of.since),
    }


def _figures(row: Sequence[Any], left_out: Sequence[str], scores: Sums | None) -> ArmFigures:
    release, calls, units, recent_units = row[:_FIRST]
    sums: dict[MetricName, Sums] = {
        name: _sums(row[_FIRST + place * _EACH : _FIRST + (place + 1) * _EACH])
        for place, (name, _, _) in enumerate(_METRICS)
        if name not in left_out
    }
    if scores is not None:
        sums["feedback"] = scores
    return ArmFigures(
        release=str(release), calls=int(calls), units=int(units), recent_units=int(recent_units), sums=sums
    )


def _sums(row: Sequence[Any]) -> Sums:
    units, count, total, squared_totals, squared_counts, cross = row
    return Sums(int(units), int(count), float(total), float(squared_totals), float(squared_counts), float(cross))


def _details(row: Sequence[Any]) -> ArmDetails:
    release, origin, calls, answers, (p50, p95), nusd, estimated, unpriced, errors, failed, repaired = row
    return ArmDetails(
        release=str(release),
        is_shadow=origin == "shadow",
        calls=int(calls),
        answers=int(answers),
        p50_ms=float(p50) if answers else None,
        p95_ms=float(p95) if answers else None,
        nusd=int(nusd),
        estimated_nusd=int(estimated),
        unpriced=int(unpriced),
        errors={str(name): int(count) for name, count in dict(errors).items()},
        parse_failures=int(failed),
        repaired=int(repaired),
    )


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)
