"""The keeper's canaries: asks each model its prompts when it is due, judges what comes, and has changes told."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx

from watchkeeper.api.replaying import ANSWER_S
from watchkeeper.config.addresses import within_reach
from watchkeeper.config.canaries import Canary
from watchkeeper.config.notifications import Notifications
from watchkeeper.core.clock import Clock
from watchkeeper.core.money import nusd, usd
from watchkeeper.evals.drift.following import BY
from watchkeeper.evals.drift.readings import Group
from watchkeeper.evals.drift.rounds import PROMPTS, Prompt, Round, Said, Verdict, prompts_id
from watchkeeper.server.rounds import Duty
from watchkeeper.store.alerts import Alerts
from watchkeeper.store.canaries import Canaries, RoundRow
from watchkeeper.store.drift import Drift, FindingDraft
from watchkeeper.watch import drift as watching

if TYPE_CHECKING:
    from watchkeeper.server.drift_looks import Comparer

EVERY_S = 60.0
AGAIN_S = 300.0
"""After a round without answers: the gateway was starting, or the provider was away."""
AT_ONCE = 4
"""Prompts that are asked side by side."""
REFERENCE = 4
"""Rounds that are read of a reference; `evals.drift.canary.ROUNDS` of them suffice."""
ERROR_LETTERS = 300

_log = logging.getLogger("watchkeeper.drift")


@dataclass(slots=True, kw_only=True)
class CanaryWatch:
    """Asks every model that the configuration names, as often as it says."""

    canaries: Callable[[], Sequence[Canary]]
    rounds: Canaries
    drift: Drift
    alerts: Alerts
    notifications: Callable[[], Notifications]
    clock: Clock
    comparer: "Callable[[], Comparer]"
    """As for `server.drift.DriftWatch`."""
    gateway_url: str
    key: str
    """Of the keeper, for its own calls."""
    console: str = ""
    """Address of the console, for links; empty when it is not known."""
    asking: dict[str, asyncio.Lock] = field(default_factory=dict[str, asyncio.Lock])
    """By model: a round is asked alone."""
    waiting: set[str] = field(default_factory=set[str])
    """Models whose rounds wait for another day, as the log was told."""

    def duties(self) -> tuple[Duty, ...]:
        """Return what is to be done, and how often."""
        return (Duty("asking canaries", EVERY_S, self.look),)

    async def look(self) -> None:
        """Ask every model that is due and has money left."""
        wanted = self.canaries()
        if not wanted:
            return
        now = self._now()
        latest = await self.rounds.latest()
        spent = await self.rounds.spent(now.replace(hour=0, minute=0, second=0, microsecond=0))
        for canary in wanted:
            known = latest.get(canary.model)
            if known is not None and (now - known.round.at).total_seconds() < _wait_s(canary, known):
                continue
            cost = known.cost_nusd if known is not None and known.cost_nusd is not None else 0
            if spent.get(canary.model, 0) + cost > canary.budget:
                self._note_waiting(canary, spent.get(canary.model, 0))
                continue
            self.waiting.discard(canary.model)
            await self.ask(canary, BY)

    async def ask(self, canary: Canary, by: str) -> RoundRow:
        """Ask a round now, keep it, and have what it shows told. An answer that does not come is part of the round."""
        async with self.asking.setdefault(canary.model, asyncio.Lock()):
            prompts = _prompts(canary)
            answers, cost_nusd = await self._answers(canary, prompts)
            now = Round(prompts=prompts_id(prompts, canary.repeats), at=self._now(), answers=answers)
            reference = await self.rounds.reference(canary.model, now.prompts, limit=REFERENCE)
            (last,) = await self.rounds.rounds(canary.model, limit=1) or (None,)
            before = last.verdict if last is not None and last.round.prompts == now.prompts else None
            earlier = [row.round for row in reference]
            verdict = await asyncio.to_thread(lambda: self.comparer().round(earlier, now, before))
            kept = await self.rounds.add(canary.model, now, verdict, cost_nusd=cost_nusd, by=by)
            await self._tell(canary.model, verdict)
            return RoundRow(id=kept, model=canary.model, round=now, verdict=verdict, cost_nusd=cost_nusd, by=by)

    async def _answers(self, canary: Canary, prompts: tuple[Prompt, ...]) -> tuple[tuple[Said, ...], int | None]:
        """Ask every prompt as often as wanted; return the answers and what they cost, None where a price is missing."""
        room = asyncio.Semaphore(AT_ONCE)
        origin = within_reach(self.gateway_url).removesuffix("/v1")
        headers = {"authorization": f"Bearer {self.key}", "x-wk-cache": "off", "x-wk-tags": "canary"}

        async def one(client: httpx.AsyncClient, prompt: Prompt) -> tuple[Said, int | None]:
            async with room:
                return await _asked(client, canary, prompt)

        async with httpx.AsyncClient(base_url=origin, timeout=ANSWER_S, trust_env=False, headers=headers) as client:
            wanted = [prompt for prompt in prompts for _ in range(canary.repeats)]
            found = await asyncio.gather(*(one(client, prompt) for prompt in wanted))
        costs = [cost for _, cost in found]
        known = [cost for cost in costs if cost is not None]
        return tuple(said for said, _ in found), sum(known) if len(known) == len(costs) else None

    async def _tell(self, model: str, verdict: Verdict) -> None:
        mark = (await self.alerts.marks(watching.CHANGED)).get(model)
        found = watching.canary(model, verdict, mark, console=self.console)
        if not found or (raised := await self.alerts.apply(found, self.notifications())) is None:
            return
        group = Group("", "", "", model)
        drafts = [
            FindingDraft(
                kind="raised", group=group, signal="answers" if row.key == model else "metadata", cause="outputs",
                sentence=row.title if row.key == model else row.text, evidence={"alert": row.id}, by=BY,
            )
            for row in raised
        ]  # fmt: skip
        drafts += [
            FindingDraft(kind="over", group=group, signal="answers", cause="", sentence=one.reason, evidence={}, by=BY)
            for one in found.over
        ]
        await self.drift.note_findings(drafts)
        for row in raised:
            _log.warning("%s %s (%s): %s", row.id, row.kind, row.severity, row.title)

    def _note_waiting(self, canary: Canary, spent: int) -> None:
        if canary.model not in self.waiting:
            self.waiting.add(canary.model)
            _log.warning(
                "the canary of %s waits for tomorrow: its rounds of today cost %s USD, of %s USD that they may",
                canary.model, usd(spent), usd(canary.budget),
            )  # fmt: skip

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self.clock.unix_ns() / 1e9, UTC)


def _wait_s(canary: Canary, last: RoundRow) -> float:
    """How long after its last round a model is asked again; sooner where that came to nothing."""
    return min(canary.every, AGAIN_S) if last.verdict.status == "unmeasured" else canary.every


def _prompts(canary: Canary) -> tuple[Prompt, ...]:
    own = tuple(
        Prompt(f"prompt {number}", text, canary.max_tokens) for number, text in enumerate(canary.prompts, start=1)
    )
    return own or PROMPTS


async def _asked(client: httpx.AsyncClient, canary: Canary, prompt: Prompt) -> tuple[Said, int | None]:
    """Ask one prompt once, and return the answer with its cost; an error says why there is none, and costs nothing."""
    body: dict[str, Any] = {
        "model": canary.model,
        "messages": [{"role": "user", "content": prompt.text}],
        "temperature": 0,
        "max_tokens": prompt.max_tokens,
    }
    if canary.logprobs:
        body["logprobs"] = True
    try:
        reply = await client.post("/v1/chat/completions", json=body)
        found = reply.json()
    except (httpx.HTTPError, ValueError) as error:
        reason = str(error) or type(error).__name__
        return Said(prompt=prompt.name, error=f"the gateway did not answer: {reason[:ERROR_LETTERS]}"), 0
    call = reply.headers.get("x-wk-call-id", "")
    if reply.status_code != 200:
        message = str(found.get("error", {}).get("message", "")) if isinstance(found, dict) else ""
        return Said(prompt=prompt.name, error=f"HTTP {reply.status_code} {message[:ERROR_LETTERS]}", call=call), 0
    cost = reply.headers.get("x-wk-cost")
    return _said(prompt, found, call), None if cost is None else nusd(cost)


def _said(prompt: Prompt, found: Any, call: str) -> Said:
    """Read an answer; what is not of the usual shape is an error of the provider's."""
    try:
        choice = found["choices"][0]
        message, usage = choice["message"], found.get("usage") or {}
        text = str(message.get("content") or message.get("refusal") or "")
        tokens = ((choice.get("logprobs") or {}).get("content")) or ()
        logprobs = [float(token["logprob"]) for token in tokens]
    except (KeyError, IndexError, TypeError, ValueError, AttributeError):
        return Said(prompt=prompt.name, error="the answer is not of the usual shape", call=call)
    return Said(
        prompt=prompt.name,
        text=text,
        model=str(found.get("model") or ""),
        fingerprint=str(found.get("system_fingerprint") or ""),
        input_tokens=usage.get("prompt_tokens"),
        output_tokens=usage.get("completion_tokens"),
        logprob=sum(logprobs) / len(logprobs) if logprobs else None,
        call=call,
    )
