"""The keeper's part of online evaluation: draws among finished calls, has their answers marked, keeps the scores."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol, get_args

import httpx

from watchkeeper.api.judges import ensured
from watchkeeper.api.services import Services
from watchkeeper.config.addresses import within_reach
from watchkeeper.config.evals import Evals
from watchkeeper.core.call import Surface
from watchkeeper.evals.judging.asking import Asking
from watchkeeper.evals.online import Capped, Marking, Recorded, Rule, drawn_at, rules_of
from watchkeeper.evals.outcome import Mark
from watchkeeper.evals.scoring import Judge
from watchkeeper.server.rounds import Duty
from watchkeeper.store.online import Cursor
from watchkeeper.store.rows import CallRow
from watchkeeper.store.scores import ScoreRow, Waiting

EVERY_S = 2.0
SETTLED_S = 3.0
"""An answer is looked at when it is stored for so long: by then all that was stored before it can be seen."""
PAGE = 1_000
"""Calls among which is drawn at once."""
BATCH = 20
"""Answers whose scores are kept at once: what was paid for them is lost when the keeper dies before."""
AT_ONCE = 4
"""Answers of one rule under way at once."""
PAGES_MAX = 20
"""Of one look; further ones wait for the next."""
_SURFACES = frozenset(get_args(Surface))

_log = logging.getLogger("watchkeeper.evals")


class KnownRules:
    """Gives the rules of the configuration in force; those of one that has not changed are made once."""

    def __init__(self, evals: Callable[[], Evals]) -> None:
        self._evals = evals
        self._known: tuple[Evals, tuple[Rule, ...]] | None = None

    def __call__(self) -> tuple[Rule, ...]:
        """Return them."""
        evals = self._evals()
        if self._known is None or self._known[0] is not evals:
            self._known = (evals, rules_of(evals))
        return self._known[1]


class MakesJudge(Protocol):
    """Makes a judge for a rule."""

    def __call__(self, rule: Rule) -> Judge:
        """Return it."""
        ...


@dataclass(slots=True)
class _Ready:
    """A rule whose scorers are ready."""

    rule: Rule
    marking: Marking
    judge: Capped


@dataclass(slots=True, kw_only=True)
class OnlineEvals:
    """Looks at every rule that no other keeper looks at; what it must remember stands in the control database."""

    parts: Services
    rules: Callable[[], Sequence[Rule]]
    key: bytes
    """By which calls are drawn."""
    holder: str
    is_gone: Callable[[str], bool] = lambda holder: False
    """Whether another keeper is surely no more."""
    judge: MakesJudge | None = None
    """Stands in for judges behind the gateway."""
    settled_s: float = SETTLED_S
    _ready: dict[str, _Ready] = field(default_factory=dict[str, _Ready])
    _client: httpx.AsyncClient | None = None

    def duties(self) -> tuple[Duty, ...]:
        """Return what is to be done, and how often."""
        return (Duty("marking answers of calls", EVERY_S, self.look),)

    async def aclose(self) -> None:
        """Let go of the gateway."""
        if self._client is not None:
            await self._client.aclose()

    async def look(self) -> None:
        """Look at every rule, beside each other; what one of them meets does not keep the others."""
        rules = self.rules()
        self._ready = {rule.name: self._ready[rule.name] for rule in rules if rule.name in self._ready}
        for result in await asyncio.gather(*map(self._look_at, rules), return_exceptions=True):
            if isinstance(result, BaseException):
                raise result

    async def _look_at(self, rule: Rule) -> None:
        cursor = await self.parts.control.online.claim(rule.name, self.holder, self.is_gone)
        if cursor is None:
            return
        ready = self._made_ready(rule)
        until_us = int(self.parts.clock.unix_ns() / 1000 - self.settled_s * 1e6)
        for _ in range(PAGES_MAX):
            after = (cursor.stored_us, cursor.call_id)
            found = await self.parts.analytics.scores.waiting(
                rule.feature, rule.environment, after=after, until_us=until_us, limit=PAGE
            )
            if not found or not await self._mark(ready, found):
                return
            cursor = Cursor(found[-1].stored_us, found[-1].call_id)
            if not await self.parts.control.online.advance(rule.name, self.holder, cursor) or len(found) < PAGE:
                return

    async def _mark(self, ready: _Ready, found: Sequence[Waiting]) -> bool:
        """Mark those that are drawn and not marked yet; False where another keeper looks at the rule by now."""
        rule, scores = ready.rule, self.parts.analytics.scores
        drawn = [one for one in found if drawn_at(self.key, rule.name, one.call_id) < rule.share]
        known = await scores.known(rule.name, rule.feature, [one.call_id for one in drawn])
        left = [one for one in drawn if one.call_id not in known]
        for start in range(0, len(left), BATCH):
            await self._reckon(ready)
            rows = await self._rows(ready, left[start : start + BATCH])
            if not await self.parts.control.online.advance(rule.name, self.holder):
                return False
            await scores.add(rows)
        return True

    async def _rows(self, ready: _Ready, batch: Sequence[Waiting]) -> list[ScoreRow]:
        room = asyncio.Semaphore(AT_ONCE)

        async def one(row: CallRow, request: bytes, response: bytes) -> list[ScoreRow]:
            async with room:
                marks = await ready.marking.marks(_recorded(row, request, response))
                return [self._score(ready.rule, row, mark) for mark in marks]

        found = await self.parts.analytics.texts([waiting.call_id for waiting in batch])
        return [row for rows in await asyncio.gather(*(one(*call) for call in found)) for row in rows]

    async def _reckon(self, ready: _Ready) -> None:
        """Take over what this and other keepers have spent today."""
        now = self._now()
        day = now.replace(hour=0, minute=0, second=0, microsecond=0)
        spent, unpriced = await self.parts.analytics.scores.spent(ready.rule.name, ready.rule.feature, day)
        ready.judge.spent_nusd = spent
        ready.judge.is_unpriced = unpriced > 0

    def _made_ready(self, rule: Rule) -> _Ready:
        known = self._ready.get(rule.name)
        if known is None or known.rule != rule:
            judge = Capped(self.judge(rule) if self.judge is not None else self._asking(rule), rule.cap_nusd or 0)
            known = self._ready[rule.name] = _Ready(rule, Marking(rule, judge, self.parts.clock), judge)
        return known

    def _asking(self, rule: Rule) -> Judge:
        if self._client is None:
            self._client = httpx.AsyncClient(trust_env=False)

        async def resolve(kind: str, judge: str) -> str:
            return await ensured(self.parts, kind, judge)

        url = within_reach(self.parts.gateway_url)
        return Asking(self._client, url, self.parts.eval_key, resolve, run=f"online:{rule.name}")

    def _score(self, rule: Rule, row: CallRow, mark: Mark) -> ScoreRow:
        return ScoreRow(
            call_id=row.id,
            at=row.started_at,
            marked_at=self._now(),
            rule=rule.name,
            feature=row.feature,
            tenant=row.tenant,
            environment=row.environment,
            release=row.release,
            rollout=row.rollout,
            model=f"{row.provider}/{row.model}" if row.provider else row.model,
            session=row.session,
            subject=row.subject,
            scorer=mark.scorer,
            status=mark.status,
            score=None if mark.status == "unmeasured" else mark.score,
            reason=mark.reason,
            judge=mark.judge,
            cost_nusd=mark.cost_nusd,
            probability=rule.share,
            origin="online",
        )

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self.parts.clock.unix_ns() / 1e9, UTC)


def _recorded(row: CallRow, request: bytes, response: bytes) -> Recorded:
    return Recorded(
        id=row.id,
        request=request,
        response=response,
        surface=row.surface if row.surface in _SURFACES else "chat",
        is_stream=row.is_stream,
        release=row.release,
        model=row.model,
        duration_ms=row.duration_ms,
        cost_nusd=row.cost_nusd,
        cost_status=row.cost_status,
        input_tokens=row.input_tokens,
        output_tokens=row.output_tokens,
    )
