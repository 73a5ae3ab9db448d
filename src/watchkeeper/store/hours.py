"""Questions about whole hours: what was used in each, who spends, and whose price is not known."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from watchkeeper.store.questions import sql, where
from watchkeeper.store.rows import CallFilter

Ask = Callable[[str, dict[str, Any]], Awaitable[Sequence[tuple[Any, ...]]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class HourRow:
    """What was used in one hour in which there were calls."""

    start: datetime
    calls: int
    tokens: int
    """Input and output."""
    cost_nusd: int
    """Of the calls that have a price."""
    estimated_nusd: int
    """Of `cost_nusd`, what is estimated."""
    unpriced_calls: int
    drilled_calls: int
    """Calls that an injected fault has met."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnpricedModel:
    """A model that was called and whose price is not known."""

    provider: str
    model: str
    calls: int
    tokens: int
    first_at: datetime


@dataclass(frozen=True, slots=True)
class RunawayRow:
    """A session, or a key whose calls name none, of which the guard has refused calls."""

    feature: str
    session: str
    key_id: str
    calls: int
    first_at: datetime
    last_call: str


async def hourly(ask: Ask, chosen: CallFilter) -> tuple[HourRow, ...]:
    """Return the hours of a filter in which there were calls, oldest first."""
    conditions, values = where(chosen)
    rows = await ask(sql("hourly").format(where=conditions), values)
    return tuple(
        HourRow(
            start=datetime.fromtimestamp(int(hour), UTC),
            calls=int(calls),
            tokens=int(tokens),
            cost_nusd=int(nusd),
            estimated_nusd=int(estimated),
            unpriced_calls=int(unpriced),
            drilled_calls=int(drilled),
        )
        for hour, calls, tokens, nusd, estimated, unpriced, drilled in rows
    )


async def spenders(ask: Ask, chosen: CallFilter, *, least_nusd: int, limit: int) -> tuple[str, ...]:
    """Return the features that cost at least so much, what costs most first."""
    conditions, values = where(chosen)
    asked = sql("spenders").format(where=conditions)
    return tuple(str(feature) for (feature,) in await ask(asked, values | {"least_nusd": least_nusd, "limit": limit}))


async def unpriced(ask: Ask, since: datetime, until: datetime, *, limit: int) -> tuple[UnpricedModel, ...]:
    """Return the models whose price is not known, the most called first; failed attempts that cost nothing are none."""
    rows = await ask(sql("unpriced"), {"since": _stored(since), "until": _stored(until), "limit": limit})
    return tuple(
        UnpricedModel(provider=provider, model=model, calls=int(calls), tokens=int(tokens), first_at=first_at)
        for provider, model, calls, tokens, first_at in rows
    )


async def runaways(ask: Ask, since: datetime, until: datetime, *, limit: int) -> tuple[RunawayRow, ...]:
    """Return what the guard has stopped, what was stopped most first."""
    rows = await ask(sql("runaways"), {"since": _stored(since), "until": _stored(until), "limit": limit})
    return tuple(RunawayRow(*row) for row in rows)


def _stored(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)
