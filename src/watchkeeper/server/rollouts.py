"""The keeper's part of rollouts: looks at their figures, decides, and has what was decided take effect."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import msgspec

from watchkeeper.config.notifications import Notifications
from watchkeeper.core.alert import AlertDraft
from watchkeeper.core.clock import Clock
from watchkeeper.releases.judging import (
    ArmFigures,
    Decision,
    Finding,
    Situation,
    compare,
    decide,
    decide_test,
)
from watchkeeper.releases.standing import Sticky
from watchkeeper.server.rounds import Duty
from watchkeeper.store.environments import Overtaken
from watchkeeper.store.rollout_figures import ArmDetails, Followed, Pairs
from watchkeeper.store.rollout_turns import Why, concluded, paused, releases_of, taken_back, widened
from watchkeeper.store.rollouts import RolloutRow, Rollouts, Turn, pause_key

EVERY_S = 5.0
TIDY_EVERY_S = 3600.0
BUSY_SHARE = 0.05
"""Of the time, at most so much is spent with the figures of one rollout: where they take long they are asked rarely."""
AWAY_S = 300.0
"""A store that has not answered for so long leaves a rollout without figures: it is paused."""
KEPT_EVERY_S = 60.0
KEPT_MOST = 2_000
"""Looks that decided nothing are kept once a minute, and once in this part of the rollout's age when that is longer."""
SLOW_LEAST = 200
"""Answers of the standing release from which it is known what is slow."""
SLOW_FROM = timedelta(days=7)
"""How far before the rollout they may lie."""
BY = "watchkeeper"
"""Who acts, in the histories."""

_log = logging.getLogger("watchkeeper.rollouts")


class Figures(Protocol):
    """The questions asked of the analytics store, as `store.rollout_figures` answers them."""

    async def arms(
        self, of: Followed, *, now: datetime, sticky: Sticky, slow_ms: float | None, feedback: bool
    ) -> Mapping[str, ArmFigures]:
        """Return the figures of each release that has calls."""
        ...

    async def details(self, of: Followed) -> Sequence[ArmDetails]:
        """Return what is shown of each arm."""
        ...

    async def pairs(self, of: Followed) -> Pairs:
        """Compare the copies of a shadow with the calls they copy."""
        ...

    async def slow_from(
        self, feature: str, environment: str, release: str, since: datetime, until: datetime
    ) -> tuple[int, float | None]:
        """Return how many answers a release gave, and the time that 95 % of them took at most."""
        ...


async def _nothing_to_tell() -> None:
    """No worker follows this process."""


@dataclass(slots=True)
class _Memory:
    """What is remembered of a rollout between two looks; a keeper that starts anew needs none of it."""

    due: float = 0.0
    """When it is looked at next, by the clock's monotonic time."""
    kept: float = float("-inf")
    """When a look of it was kept last."""
    asked_since: float | None = None
    """Since when its figures were asked for in vain; None where the last question was answered."""


@dataclass(slots=True, kw_only=True)
class Judge:
    """Looks at every rollout that goes on."""

    rollouts: Rollouts
    figures: Figures
    notifications: Callable[[], Notifications]
    clock: Clock
    console: str = ""
    """Address of the console, for links; empty when it is not known."""
    on_change: Callable[[], Awaitable[None]] = _nothing_to_tell
    """Called when something else is about to be live: the workers must know before the moment from which it holds."""
    memory: dict[str, _Memory] = field(default_factory=dict[str, _Memory])

    def duties(self) -> tuple[Duty, ...]:
        """Return what is to be done, and how often."""
        return (
            Duty("judging rollouts", EVERY_S, self.look),
            Duty("forgetting old looks", TIDY_EVERY_S, self.rollouts.forget),
        )

    async def look(self) -> None:
        """Look at every rollout that is due; what one of them cannot be given does not keep the others."""
        rows = await self.rollouts.active()
        self.memory = {row.id: self.memory.get(row.id, _Memory()) for row in rows}
        now = self.clock.monotonic()
        due = [row for row in rows if self.memory[row.id].due <= now]
        for result in await asyncio.gather(*map(self._look_at, due), return_exceptions=True):
            if isinstance(result, BaseException):
                raise result

    async def _look_at(self, row: RolloutRow) -> None:
        if await self.rollouts.overtaken(row):
            await self.on_change()
            return
        known, began = self.memory[row.id], self.clock.monotonic()
        if known.asked_since is None:
            known.asked_since = began
        elif began - known.asked_since >= AWAY_S and row.state == "running" and row.kind != "shadow":
            await self._take(row, self._without_figures(row, began - known.asked_since))
            return
        if row.kind != "shadow":
            row = await self._with_slow(row)
        turn = await (self._follow(row) if row.kind == "shadow" else self._judge(row))
        known.asked_since = None
        known.due = began + (self.clock.monotonic() - began) / BUSY_SHARE
        if turn is not None:
            await self._take(row, turn)

    async def _judge(self, row: RolloutRow) -> Turn | None:
        plan, now = row.settings.plan, self._now()
        wants_feedback = plan.goal == "feedback" or any(guard.metric == "feedback" for guard in plan.guards)
        found = await self.figures.arms(
            _followed(row, row.step_at),
            now=now,
            sticky=row.settings.sticky,
            slow_ms=row.settings.slow_ms,
            feedback=wants_feedback,
        )
        arms = [found.get(release, ArmFigures(release=release)) for release in releases_of(row)]
        findings = compare(plan, arms[0], arms[1:], test=row.settings.test)
        situation = Situation(
            step=row.step,
            step_age_s=(now - row.step_at).total_seconds(),
            shares=tuple(arm.share for arm in row.arms),
            is_paused=row.state == "paused",
            awaits=await self._awaits(row),
        )
        decision = (decide if row.kind == "canary" else decide_test)(plan, situation, arms, findings)
        evidence = _evidence(row, decision, arms, findings)
        turn = await self._turn(row, decision)
        if turn is None:
            await self._keep(row, decision, evidence)
            return None
        return replace(turn, decision=decision.action, evidence=evidence)

    async def _turn(self, row: RolloutRow, decision: Decision) -> Turn | None:
        """What a decision comes to; None where it changes nothing."""
        why = Why(BY, decision.reason)
        match decision.action:
            case "continue":
                return None
            case "widen":
                return widened(row, why)
            case "succeed":
                return concluded(row, row.arms[0].release, why)
            case "pause":
                if row.state == "paused":
                    return None
                return replace(paused(row, why), alert=self._paused_alert(row, decision.reason))
            case "roll_back":
                details = await self.figures.details(_followed(row, row.step_at))
                return replace(taken_back(row, why), alert=self._back_alert(row, decision.reason, details))

    async def _take(self, row: RolloutRow, turn: Turn) -> None:
        try:
            taken = await self.rollouts.take(row, turn, self.notifications())
        except Overtaken:
            await self.rollouts.overtaken(row)
            return
        if taken is not None:
            await self.on_change()
            _log.info("%s (%s, %s): %s: %s", row.id, row.feature, row.environment, turn.kind, turn.reason)

    async def _follow(self, row: RolloutRow) -> None:
        """Keep now and then what a shadow comes to; nobody is served by it, and nothing is decided."""
        if self._is_kept_now(row):
            pairs = await self.figures.pairs(_followed(row, row.started_at))
            await self.rollouts.note_look(row, "continue", msgspec.to_builtins(pairs))
            self.memory[row.id].kept = self.clock.monotonic()

    async def _with_slow(self, row: RolloutRow) -> RolloutRow:
        """Find out what is slow, where that is asked and not known: by the answers before the rollout, or its first."""
        is_asked = any(guard.metric == "latency" for guard in row.settings.plan.guards)
        if not is_asked or row.settings.slow_ms is not None:
            return row
        since = row.started_at - SLOW_FROM
        for until, begins_step in ((row.started_at, False), (self._now(), True)):
            count, slow_ms = await self.figures.slow_from(row.feature, row.environment, row.baseline, since, until)
            if slow_ms is not None and count >= SLOW_LEAST:
                return await self.rollouts.settle_slow(row, slow_ms, begins_step=begins_step) or row
        return row

    async def _awaits(self, row: RolloutRow) -> str:
        """Why it is not widened whatever the figures say."""
        is_asked = any(guard.metric == "latency" for guard in row.settings.plan.guards)
        if is_asked and row.settings.slow_ms is None:
            return f"Fewer than {SLOW_LEAST} answers of {row.baseline} are known, so nobody can say what is slow."
        frozen = await self.rollouts.frozen(row.feature, row.environment)
        return frozen and f"{frozen}."

    def _without_figures(self, row: RolloutRow, away_s: float) -> Turn:
        """Pause what has had no figures for long: a candidate that nobody watches is not given to more people."""
        reason = f"The store has not answered for {away_s / 60:,.0f} minutes; the keeper's log says why."
        alert = self._paused_alert(row, reason)
        return replace(paused(row, Why(BY, reason)), decision="pause", evidence={"reason": reason}, alert=alert)

    async def _keep(self, row: RolloutRow, decision: Decision, evidence: dict[str, Any]) -> None:
        if self._is_kept_now(row):
            await self.rollouts.note_look(row, decision.action, evidence)
            self.memory[row.id].kept = self.clock.monotonic()

    def _is_kept_now(self, row: RolloutRow) -> bool:
        age_s = (self._now() - row.started_at).total_seconds()
        return self.clock.monotonic() - self.memory[row.id].kept >= max(KEPT_EVERY_S, age_s / KEPT_MOST)

    def _paused_alert(self, row: RolloutRow, reason: str) -> AlertDraft:
        share = sum(arm.share for arm in row.arms)
        text = (
            f"{reason} {_tried(row)} stays at {100 * share:.3g}% of the units and is still watched for harm. "
            f"Look at it: `watchkeeper rollout show {row.id}`{self._link(row)}. Then `watchkeeper rollout resume "
            f"{row.id}`, `rollout widen` or `rollout stop`."
        )
        return self._alert(row, pause_key(row.id), f"{_named(row)} waits for a person", text)

    def _back_alert(self, row: RolloutRow, reason: str, details: Sequence[ArmDetails]) -> AlertDraft:
        tried = {arm.release for arm in row.arms}
        errors = [
            f"{count:,} {name}"
            for one in details
            if one.release in tried
            for name, count in sorted(one.errors.items(), key=lambda item: -item[1])
        ]
        seen = f" Its errors since the step began: {', '.join(errors)}." if errors else ""
        text = (
            f"{reason}{seen} Everybody is served by {row.baseline} again. Look at the evidence: "
            f"`watchkeeper rollout show {row.id}`{self._link(row)}."
        )
        return self._alert(row, row.id, f"{_named(row)} was rolled back", text)

    def _alert(self, row: RolloutRow, key: str, title: str, text: str) -> AlertDraft:
        facts = {
            "rollout": row.id,
            "feature": row.feature,
            "environment": row.environment,
            "baseline": row.baseline,
            "arms": [{"release": arm.release, "share": arm.share} for arm in row.arms],
        }
        return AlertDraft(kind="rollout", key=key, severity="warning", title=title, text=text, facts=facts)

    def _link(self, row: RolloutRow) -> str:
        return f" or {self.console}/rollouts/{row.id}" if self.console else ""

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self.clock.unix_ns() / 1e9, UTC)


def _followed(row: RolloutRow, since: datetime) -> Followed:
    return Followed(rollout=row.id, feature=row.feature, environment=row.environment, since=since)


def _evidence(
    row: RolloutRow, decision: Decision, arms: Sequence[ArmFigures], findings: Sequence[Finding]
) -> dict[str, Any]:
    """What a look saw, for whoever asks later why it was decided so."""
    return {
        "reason": decision.reason,
        "since": row.step_at.isoformat(),
        "slow_ms": row.settings.slow_ms,
        "shares": {arm.release: arm.share for arm in row.arms},
        "arms": [
            {"release": arm.release, "calls": arm.calls, "units": arm.units, "recent_units": arm.recent_units}
            for arm in arms
        ],
        "findings": [msgspec.to_builtins(one) for one in findings],
    }


def _named(row: RolloutRow) -> str:
    what = {"canary": "The canary", "ab": "The A/B test", "shadow": "The shadow"}[row.kind]
    return f"{what} of {row.feature} in {row.environment}"


def _tried(row: RolloutRow) -> str:
    return " and ".join(arm.release for arm in row.arms)
