"""The keeper's watch: what the rules in `watch` are given, how often, and where their findings go."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import numpy as np

from watchkeeper.config.notifications import Notifications
from watchkeeper.core.alert import SEVERITIES, Findings
from watchkeeper.core.clock import Clock
from watchkeeper.money.ledger_state import AccountState
from watchkeeper.server.rounds import Duty
from watchkeeper.store.alerts import AlertRow, Alerts
from watchkeeper.store.hours import HourRow, RunawayRow, UnpricedModel
from watchkeeper.store.outbox import Outbox
from watchkeeper.store.release_figures import OutputShare
from watchkeeper.store.rows import CallFilter
from watchkeeper.watch import budgets, costs, guards, outputs, pace
from watchkeeper.watch.anomalies import BUCKETS, HISTORY, CostSeries
from watchkeeper.watch.costs import Reliance, Unpriced
from watchkeeper.watch.guards import OpenHold
from watchkeeper.watch.pace import HourlyUse

BUDGETS_EVERY_S = 15.0
COSTS_EVERY_S = 300.0
TIDY_EVERY_S = 3600.0
LATE = timedelta(minutes=2)
"""An hour is judged when it is over for so long: the calls of its last seconds have been taken in then."""
FEATURES_MAX = 50
"""Features whose hours are judged, those that cost most; all of them are part of the total."""
TOLD_ONE_BY_ONE = 5
"""Findings of one look that have messages of their own, the most severe; the others share one."""
PACED_MAX = 100
"""Accounts whose pace is looked at, those with the largest share used; one question each."""
UNPRICED_MAX = 20
RUNAWAYS_MAX = 20
OUTPUTS_MAX = 200
"""Features whose answers are looked at, those with the most failures of late."""
DAY = timedelta(days=1)
WEEK = timedelta(weeks=1)
HOUR = timedelta(hours=1)
_NUSD = 1_000_000_000
_FILTERED_BY = {
    "tenant": "tenant", "feature": "feature", "key": "key_id", "subject": "subject", "tag": "tag",
    "session": "session",
}  # fmt: skip
"""Kind of scope -> field of `CallFilter`."""

_log = logging.getLogger("watchkeeper.alerts")


class Figures(Protocol):
    """The questions that the watch asks of the analytics store."""

    async def hourly(self, chosen: CallFilter) -> tuple[HourRow, ...]:
        """Return the hours of a filter in which there were calls, oldest first."""
        ...

    async def spenders(self, chosen: CallFilter, *, least_nusd: int, limit: int) -> tuple[str, ...]:
        """Return the features that cost at least so much, what costs most first."""
        ...

    async def unpriced(self, since: datetime, until: datetime, *, limit: int) -> tuple[UnpricedModel, ...]:
        """Return the models whose price is not known, the most called first."""
        ...

    async def runaways(self, since: datetime, until: datetime, *, limit: int) -> tuple[RunawayRow, ...]:
        """Return what the guard has stopped, what was stopped most first."""
        ...

    async def output_shares(
        self, since: datetime, late: datetime, until: datetime, *, limit: int
    ) -> tuple[OutputShare, ...]:
        """Return what became of answers by feature, since `late` and before it."""
        ...


@dataclass(slots=True, kw_only=True)
class Watch:
    """Looks at budgets and costs, and has alerts raised and resolved."""

    alerts: Alerts
    outbox: Outbox
    figures: Figures
    notifications: Callable[[], Notifications]
    """The destinations in force."""
    accounts: Callable[[], Awaitable[Sequence[AccountState]]]
    """What the ledger says of every budget and scope in use."""
    holds: Callable[[], Awaitable[Sequence[OpenHold]]]
    """Which holds must be resolved."""
    thresholds: Callable[[], Mapping[str, Sequence[Decimal]]]
    """By id of a budget, the shares of its limit at which an alert is raised."""
    clock: Clock
    allowed_failures: Callable[[], Mapping[str, float]] = dict[str, float]
    """By feature, the share of answers that may fail; features of which nothing is said are not there."""
    console: str = ""
    """Address of the console, for links; empty when it is not known."""
    paced_until: datetime | None = None
    """End of the last hour whose pace was looked at: there is nothing new before the next is full."""
    judged_until: datetime | None = None
    """End of the last hour that was judged: it is judged once."""

    def duties(self) -> tuple[Duty, ...]:
        """Return what is to be done, and how often."""
        return (
            Duty("watching budgets", BUDGETS_EVERY_S, self.look_at_budgets),
            Duty("watching the pace of budgets", COSTS_EVERY_S, self.look_at_pace),
            Duty("watching costs", COSTS_EVERY_S, self.look_at_costs),
            Duty("watching for unknown prices", COSTS_EVERY_S, self.look_at_prices),
            Duty("watching for runaway sessions", BUDGETS_EVERY_S, self.look_at_runaways),
            Duty("watching outputs", COSTS_EVERY_S, self.look_at_outputs),
            Duty("watching for holds to resolve", BUDGETS_EVERY_S, self.look_at_holds),
            Duty("forgetting old alerts", TIDY_EVERY_S, self.tidy),
        )

    async def look_at_budgets(self) -> None:
        """Compare every account with the thresholds of its budget."""
        thresholds = self.thresholds()
        states = await self.accounts()
        marks = await self.alerts.marks(budgets.KIND) if states else {}
        looks = (
            budgets.look(state, thresholds.get(state.budget, ()), marks.get(state.key), console=self.console)
            for state in states
        )
        found = sorted(filter(None, looks), key=_urgency)
        alone = len(found) if len(found) <= TOLD_ONE_BY_ONE + 1 else TOLD_ONE_BY_ONE
        for findings in found[:alone]:
            await self._act(findings)
        if not found[alone:]:
            return
        together = partial(budgets.together, at=self._now(), console=self.console)
        _note(await self.alerts.apply_together(found[alone:], self.notifications(), together))

    async def look_at_pace(self) -> None:
        """Carry the use of the accounts that have used most of their limit on to the end of their windows."""
        now = self._now()
        if _hour(now) == self.paced_until:
            return
        states = [state for state in await self.accounts() if state.window_end is not None and state.limit > 0]
        states.sort(key=lambda state: state.settled / state.limit, reverse=True)
        marks = await self.alerts.marks(pace.KIND) if states else {}
        for state in states[:PACED_MAX]:
            use = _use(state, await self.figures.hourly(_calls_of(state.scope, now)), _hour(now))
            await self._act(pace.look(state, use, marks.get(state.key), console=self.console))
        self.paced_until = _hour(now) if states else None

    async def look_at_costs(self) -> None:
        """Judge the last full hours of everything, and of each feature that spends enough or did of late."""
        until = _hour(self._now() - LATE)
        if until == self.judged_until:
            return
        window = CallFilter(since=until - BUCKETS * HOUR, until=until)
        spenders = await self.figures.spenders(window, least_nusd=_NUSD, limit=FEATURES_MAX)
        marks = await self.alerts.marks(costs.ANOMALY)
        raised = [name for name, mark in marks.items() if mark.passed and name]
        zone = ZoneInfo(self.notifications().tz)
        for name in dict.fromkeys(("", *spenders, *raised)):
            rows = await self.figures.hourly(CallFilter(feature=name, since=until - HISTORY - DAY, until=until))
            if rows:
                found = await asyncio.to_thread(
                    costs.look, _series(name, rows, until), _reliance(rows), marks.get(name), zone, console=self.console
                )
                await self._act(found)
        self.judged_until = until

    async def look_at_prices(self) -> None:
        """See which models were called in the last day whose price is not known."""
        now = self._now()
        models = await self.figures.unpriced(now - DAY, now, limit=UNPRICED_MAX)
        unpriced = [Unpriced(row.provider, row.model, row.calls, row.tokens, row.first_at) for row in models]
        marks = await self.alerts.marks(costs.UNPRICED)
        for found in costs.look_at_prices(unpriced, marks, console=self.console):
            await self._act(found)

    async def look_at_runaways(self) -> None:
        """See what the guard has stopped in the last hour."""
        now = self._now()
        rows = await self.figures.runaways(now - HOUR, now, limit=RUNAWAYS_MAX)
        stopped = [guards.Stopped(*astuple(row)) for row in rows]
        marks = await self.alerts.marks(guards.RUNAWAY)
        for found in guards.look_at_runaways(stopped, marks, console=self.console):
            await self._act(found)

    async def look_at_outputs(self) -> None:
        """Compare the answers of the last hour with what is allowed, or with the week before."""
        now = self._now()
        found = await self.figures.output_shares(now - WEEK, now - HOUR, now, limit=OUTPUTS_MAX)
        allowed = self.allowed_failures()
        marks = await self.alerts.marks(outputs.KIND)
        answers = [outputs.Answers(**asdict(one), allowed=allowed.get(one.feature)) for one in found]
        for findings in outputs.look(answers, marks, console=self.console):
            await self._act(findings)

    async def look_at_holds(self) -> None:
        """See which holds of dead workers nobody has resolved."""
        marks = await self.alerts.marks(guards.EXPIRED)
        for found in guards.look_at_holds(await self.holds(), marks):
            await self._act(found)

    async def tidy(self) -> None:
        """Forget alerts and messages that are older than they are kept."""
        await self.alerts.forget()
        await self.outbox.forget()

    async def _act(self, found: Findings) -> None:
        """Let findings take effect; where another keeper was first, it has done so."""
        if found:
            _note(await self.alerts.apply(found, self.notifications()) or ())

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self.clock.unix_ns() / 1e9, UTC)


def _urgency(found: Findings) -> tuple[int, str]:
    """What raises the most severe comes first, what raises nothing last; of two keepers each has the same order."""
    severity = min((-SEVERITIES.index(draft.severity) for draft in found.raised), default=1)
    return severity, found.mark.key if found.mark is not None else ""


def _note(raised: Sequence[AlertRow]) -> None:
    """Write the one line that the log has of each alert."""
    for row in raised:
        _log.warning("%s %s (%s): %s", row.id, row.kind, row.severity, row.title)


def _hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def _calls_of(scope: Mapping[str, str], now: datetime) -> CallFilter:
    """The calls of a scope in the last weeks; kinds that a list cannot be filtered by mean every call."""
    until = _hour(now)
    chosen: dict[str, Any] = {_FILTERED_BY[kind]: value for kind, value in scope.items() if kind in _FILTERED_BY}
    return CallFilter(since=until - HISTORY, until=until, **chosen)


def _by_hour(rows: Sequence[HourRow], until: datetime) -> list[HourRow | None]:
    """Rows in their places, from the first to the hour before `until`; None where there were no calls."""
    found = {row.start: row for row in rows}
    hours = int((until - rows[0].start) / HOUR) if rows else 0
    return [found.get(until - HOUR * (hours - place)) for place in range(hours)]


def _use(state: AccountState, rows: Sequence[HourRow], until: datetime) -> HourlyUse:
    figures = {"nusd": "cost_nusd", "tokens": "tokens", "calls": "calls"}
    name = figures[state.unit]
    return HourlyUse(until=until, used=[getattr(row, name) if row else 0 for row in _by_hour(rows, until)])


def _series(name: str, rows: Sequence[HourRow], until: datetime) -> CostSeries:
    hours = _by_hour(rows, until)
    return CostSeries(
        name=name,
        until=until,
        usd=np.array([row.cost_nusd / _NUSD if row else 0.0 for row in hours]),
        is_excluded=np.array([row is not None and row.drilled_calls > 0 for row in hours]),
        age=until - rows[0].start,
    )


def _reliance(rows: Sequence[HourRow]) -> Reliance:
    last = rows[-BUCKETS:]
    cost = sum(row.cost_nusd for row in last)
    estimated = sum(row.estimated_nusd for row in last)
    return Reliance(estimated / cost if cost else 0.0, sum(row.unpriced_calls for row in last))
