"""The keeper's watch over scores of real calls: whether a release scores lower than the one before, or than it did.

Both are looked at again and again, with intervals that hold at every look (`releases.sequential`). What scores stay
below 1 is compared, as a share of what is lost.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from watchkeeper.api.services import Services
from watchkeeper.evals.online import Rule
from watchkeeper.releases.sequential import Sums, difference_of_shares
from watchkeeper.server.rounds import Duty
from watchkeeper.store.scores import Followed
from watchkeeper.watch.evals import REGRESSION, Drop, look_at_drops

EVERY_S = 30.0
ALPHA = 0.01
"""Probability that a release which is no worse than the one before is ever called so, over all scorers of a rule."""
ALPHA_DAY = 0.001
"""Of a day that is no worse than the days before: one false alarm in three years, over all scorers of a rule."""
BEFORE = timedelta(days=30)
"""Scores of the release before that are older are not compared with."""
TRAILING = timedelta(days=7)
HISTORY = 100

_log = logging.getLogger("watchkeeper.evals")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Comparison:
    against: str
    release: str
    alpha: float
    before: Followed
    now: Followed


@dataclass(slots=True, kw_only=True)
class Drops:
    """Compares scores, and has alerts raised and resolved."""

    parts: Services
    rules: Callable[[], Sequence[Rule]]
    console: str = ""
    """Address of the console, for links; empty when it is not known."""

    def duties(self) -> tuple[Duty, ...]:
        """Return what is to be done, and how often."""
        return (Duty("watching scores of calls", EVERY_S, self.look),)

    async def look(self) -> None:
        """Look at every rule."""
        found: list[Drop] = []
        lasting: set[str] = set()
        for rule in self.rules():
            for comparison in await self._comparisons(rule):
                known, lower = await self._compared(rule, comparison)
                found += known
                lasting |= lower
        alerts = self.parts.control.alerts
        marks = await alerts.marks(REGRESSION)
        for findings in look_at_drops(found, frozenset(lasting), marks, console=self.console):
            for row in await alerts.apply(findings, self.parts.notifications()) or ():
                _log.warning("%s %s (%s): %s", row.id, row.kind, row.severity, row.title)

    async def _comparisons(self, rule: Rule) -> list[_Comparison]:
        """Return what is compared: with the release before since this one is live, and today with the week before."""
        now = datetime.fromtimestamp(self.parts.clock.unix_ns() / 1e9, UTC)
        day = now.replace(hour=0, minute=0, second=0, microsecond=0)
        rows = await self.parts.control.environments.history(rule.feature, [rule.environment], limit=HISTORY)
        current = rows[0].release if rows else ""
        found = [
            _Comparison(
                against="the seven days before",
                release=current,
                alpha=ALPHA_DAY,
                before=_of(rule, current, day - TRAILING, day),
                now=_of(rule, current, day, now),
            )
        ]
        earlier = next((place for place, row in enumerate(rows) if row.release != current), None)
        if current and earlier is not None and rows[earlier].release:
            since, release = rows[earlier - 1].effective_at, rows[earlier].release
            found.append(
                _Comparison(
                    against=f"release {release}",
                    release=current,
                    alpha=ALPHA,
                    before=_of(rule, release, since - BEFORE, since),
                    now=_of(rule, current, since, now),
                )
            )
        return found

    async def _compared(self, rule: Rule, comparison: _Comparison) -> tuple[list[Drop], set[str]]:
        """Return the drops that are known, and the keys of scores that are lower at all."""
        before = await self.parts.analytics.scores.lost(comparison.before)
        now = await self.parts.analytics.scores.lost(comparison.now)
        known: list[Drop] = []
        lower: set[str] = set()
        for scorer in rule.scorers:
            pair = before.get(scorer.title, Sums()), now.get(scorer.title, Sums())
            if min(pair[0].count, pair[1].count) < rule.min_calls:
                continue
            alpha = comparison.alpha / len(rule.scorers)
            harm = difference_of_shares(*pair, alpha)
            drop = Drop(
                rule=rule.name,
                feature=rule.feature,
                environment=rule.environment,
                scorer=scorer.title,
                against=comparison.against,
                release=comparison.release,
                mean=1 - pair[1].mean,
                count=pair[1].count,
                mean_before=1 - pair[0].mean,
                count_before=pair[0].count,
                low=harm.low,
                high=harm.high,
                alpha=alpha,
            )
            known += [drop] if harm.low > 0 else []
            lower |= {drop.key} if harm.estimate > 0 else set()
        return known, lower


def _of(rule: Rule, release: str, since: datetime, until: datetime) -> Followed:
    return Followed(
        rule=rule.name,
        feature=rule.feature,
        environment=rule.environment,
        release=release,
        since=since,
        until=until,
    )
