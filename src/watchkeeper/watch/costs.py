"""Alerts on what calls cost: hours out of the ordinary, and models whose price nobody knows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from watchkeeper.core.alert import AlertDraft, AlertKind, Findings, Mark, Over
from watchkeeper.watch.anomalies import BUCKETS, CostSeries, Judgement, is_confirmed, is_over, judge
from watchkeeper.watch.standing import compare
from watchkeeper.watch.wording import calls_link, moment

ANOMALY: AlertKind = "cost_anomaly"
UNPRICED: AlertKind = "price_unknown"
_SEEN = frozenset({"seen"})


@dataclass(frozen=True, slots=True)
class Reliance:
    """How far the cost of the hours that are judged can be relied on."""

    estimated_share: float
    """Of their cost, between 0 and 1."""
    unpriced_calls: int
    """Calls that are not part of the cost, since their price is not known."""


@dataclass(frozen=True, slots=True)
class Unpriced:
    """Calls of one model in the last day whose price is not known."""

    provider: str
    model: str
    calls: int
    tokens: int
    first_at: datetime


def look(series: CostSeries, reliance: Reliance, mark: Mark | None, zone: ZoneInfo, *, console: str = "") -> Findings:
    """Say once that hours cost more than such hours do, and again only after an ordinary time in between."""
    judged = judge(series, zone)
    known = mark or Mark(kind=ANOMALY, key=series.name, window_start=None, window_end=None)
    if known.passed and is_over(judged):
        ended = f"None of the last {BUCKETS} hours stands out; the last one cost ${judged[-1].usd:,.2f}."
        over = Over(kind=ANOMALY, key=_key(series), reason=ended)
        return Findings(over=(over,), mark=replace(known, passed=frozenset()))
    if known.passed or not is_confirmed(judged):
        return Findings()
    return Findings(raised=(_anomaly(series, judged, reliance, zone, console),), mark=replace(known, passed=_SEEN))


def look_at_prices(found: Sequence[Unpriced], marks: dict[str, Mark], *, console: str = "") -> tuple[Findings, ...]:
    """Say once of each model that its price is not known; it is over when none of its calls lacked one for a day."""
    present = {key: _unpriced(key, one, console) for one in found for key in (f"{one.provider}/{one.model}",)}
    return compare(UNPRICED, present, marks, over="No call to it has lacked a price for a day.")


def _key(series: CostSeries) -> str:
    return f"feature {series.name}" if series.name else "everything"


def _anomaly(
    series: CostSeries, judged: Sequence[Judgement], reliance: Reliance, zone: ZoneInfo, console: str
) -> AlertDraft:
    who = f"Feature {series.name}" if series.name else "Everything together"
    odd = [one for one in judged if one.stands_out]
    worst = max(odd, key=lambda one: one.usd - one.baseline_usd)
    hours = "\n".join(
        f"- {moment(one.start.astimezone(zone))}, one hour: ${one.usd:,.2f}, usually ${one.baseline_usd:,.2f} "
        f"(median of {one.compared_with}: {one.basis.value})"
        for one in odd
    )
    scope = {"feature": series.name} if series.name else {}
    text = (
        f"{who} costs more than it does at such hours, in {len(odd)} of the last {len(judged)}:\n{hours}\n"
        f"The worst of them stands out by {worst.score:.1f} robust standard deviations, where {worst.limit:.1f} are "
        f"ordinary. {_relied_on(reliance)}\n"
        f"What spends: {calls_link(console, scope)}\n"
        "What to do: see what has changed at that time (`watchkeeper changes`), and which calls cost most. If it was "
        "meant, say so with `watchkeeper alerts judge ID planned`."
    )
    return AlertDraft(
        kind=ANOMALY,
        key=_key(series),
        severity="warning",
        title=f"{who} costs {_times(worst)}: ${worst.usd:,.2f} in an hour, usually ${worst.baseline_usd:,.2f}",
        text=text,
        facts={
            "feature": series.name or None,
            "hours": [_facts(one) for one in judged],
            "estimated_share": round(reliance.estimated_share, 4),
            "unpriced_calls": reliance.unpriced_calls,
        },
    )


def _times(one: Judgement) -> str:
    return f"{one.usd / one.baseline_usd:.1f} times what it does" if one.baseline_usd >= 0.01 else "more than it does"


def _relied_on(reliance: Reliance) -> str:
    share = reliance.estimated_share
    status = f"{100 * share:.0f}% of the amounts is estimated, the rest" if share > 0 else "The amounts are"
    missing = f" {reliance.unpriced_calls:,} calls are not in them, for their price is not known."
    return f"{status} measured.{missing if reliance.unpriced_calls else ''}"


def _facts(one: Judgement) -> dict[str, Any]:
    return {
        "start": one.start.isoformat(),
        "end": (one.start + timedelta(hours=1)).isoformat(),
        "cost_usd": f"{one.usd:.6f}",
        "baseline_usd": f"{one.baseline_usd:.6f}",
        "score": round(one.score, 2),
        "limit": round(one.limit, 2),
        "compared_with": one.compared_with,
        "basis": one.basis.name.lower(),
        "stands_out": one.stands_out,
    }


def _unpriced(key: str, one: Unpriced, console: str) -> AlertDraft:
    calls = f"{one.calls:,} {'call' if one.calls == 1 else 'calls'}"
    link = (
        f"{console}/calls?{urlencode({'provider': one.provider, 'model': one.model})}"
        if console
        else calls_link(console, {})
    )
    text = (
        f"The price of {key} is not known: {calls} in the last 24 hours, with {one.tokens:,} tokens, the first at "
        f"{moment(one.first_at)}. Their cost is `unpriced`: it is in no sum, and a budget in money cannot hold them.\n"
        f"The calls: {link}\n"
        "What to do: name the provider's `price_list` in the configuration, or give the model a price of your own."
    )
    return AlertDraft(
        kind=UNPRICED,
        key=key,
        severity="warning",
        title=f"The price of {key} is not known: {calls} in the last day",
        text=text,
        facts={
            "provider": one.provider,
            "model": one.model,
            "calls": one.calls,
            "tokens": one.tokens,
            "first_at": one.first_at.isoformat(),
        },
    )
