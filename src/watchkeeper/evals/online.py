"""Answers of real calls that are looked at: which ones, and how a recorded call becomes a question to scorers."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from watchkeeper.config.evals import Evals, Online
from watchkeeper.config.problems import Place
from watchkeeper.core.call import Surface
from watchkeeper.core.clock import Clock
from watchkeeper.core.conversation import Conversation, Message, read_conversation
from watchkeeper.core.conversation.values import as_object, json_object
from watchkeeper.core.money import CostStatus, usd
from watchkeeper.evals.asking import Ask
from watchkeeper.evals.kinds import build, is_judged
from watchkeeper.evals.outcome import Answer, Mark, ToolCall
from watchkeeper.evals.scorers.table import RUNS_CODE
from watchkeeper.evals.scoring import Judge, Question, ScorerRefused, Verdict
from watchkeeper.evals.suite import Case, Scorer, Suite
from watchkeeper.evals.suite_files import scorer_from
from watchkeeper.evals.tasks import Kit, Suited, prompt_of

UNRECORDED = "the text of the call was not recorded"
WORDLESS = "the call has no answer that could be read"
_DRAWS = 2**64


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Which answers are looked at, by what."""

    name: str
    """Unique."""
    feature: str
    environment: str
    share: float
    """Probability with which a call is drawn."""
    scorers: tuple[Scorer, ...]
    judge: str
    """Of judged scorers that name none."""
    cap_nusd: int | None
    """What judges may cost in a day."""
    min_calls: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A call as it was recorded, as far as scorers look at it."""

    id: str
    request: bytes
    response: bytes
    surface: Surface
    is_stream: bool
    release: str = ""
    model: str = ""
    duration_ms: float | None = None
    cost_nusd: int | None = None
    cost_status: CostStatus = "unpriced"
    input_tokens: int | None = None
    output_tokens: int | None = None


def rules_of(evals: Evals) -> tuple[Rule, ...]:
    """Return the rules of a configuration. Raises ScorerRefused."""
    return tuple(map(rule_of, evals.online))


def rule_of(one: Online) -> Rule:
    """Return what the configuration says of a rule.

    Raises:
        ScorerRefused: one of its scorers cannot be used; the error says why.
    """
    scorers = tuple(map(_scorer, one.scorers))
    titles = [scorer.title for scorer in scorers]
    for title in titles:
        if titles.count(title) > 1:
            raise ScorerRefused(f"two scorers have the name `{title}`; give one a `name` of its own")
    rule = Rule(
        name=one.identity,
        feature=one.feature,
        environment=one.environment,
        share=one.share,
        scorers=scorers,
        judge=one.judge,
        cap_nusd=one.daily_cap,
        min_calls=one.min_calls,
    )
    for scorer in scorers:
        if scorer.type in RUNS_CODE:
            raise ScorerRefused(f"`{scorer.title}` is written in Python, which only suites can have")
        if is_judged(scorer) and one.daily_cap is None:
            raise ScorerRefused(f"`{scorer.title}` asks a judge, which costs money: say how much, in `daily_cap`")
        build(scorer, _Nobody(), standard=one.judge)
    return rule


def faults(evals: Evals) -> list[tuple[Place, str]]:
    """Name every rule whose scorers cannot be used, and why."""
    found: list[tuple[Place, str]] = []
    for number, one in enumerate(evals.online):
        try:
            rule_of(one)
        except ScorerRefused as error:
            found.append((("evals", "online", number, "scorers"), str(error)))
    return found


def drawn_at(key: bytes, rule: str, call_id: str) -> float:
    """Return where a call stands between 0 and 1, the same at every look; below the share of a rule it is drawn.

    The key keeps whoever makes calls from choosing which of them are looked at.
    """
    digest = hashlib.blake2b(f"{rule}\0{call_id}".encode(), digest_size=8, key=key).digest()
    return int.from_bytes(digest, "big") / _DRAWS


def question_of(call: Recorded) -> Question | str:
    """Return what scorers look at; where there is nothing to look at, why not.

    The texts are those that are recorded, as they are recorded. Documents that were found for the call are not among
    them by themselves, so that scorers which need documents measure nothing here.
    """
    if not call.request and not call.response:
        return UNRECORDED
    said = read_conversation(call.request, call.response, surface=call.surface, is_stream=call.is_stream)
    if not said.answers:
        return WORDLESS
    notes: list[str] = []
    variables = as_object(json_object(call.request, "request", notes).get("variables")) if call.request else {}
    messages = tuple({"role": message.role, "content": message.text} for message in said.messages)
    case = Case(id=call.id, messages=messages, variables=variables, call=call.id)
    return Question(case=case, answer=_answer(call, said), prompt=_asked(said) or prompt_of(case))


class Marking:
    """The scorers of a rule, made ready."""

    def __init__(self, rule: Rule, judge: Judge, clock: Clock) -> None:
        """Make ready. Raises ScorerRefused."""
        suite = Suite(feature=rule.feature, name=rule.name, cases=(), scorers=rule.scorers, judge=rule.judge)
        kit = Kit(ask=_asks_nobody, build=lambda scorer: build(scorer, judge, standard=rule.judge), clock=clock)
        self._rule = rule
        self._scorers = Suited(suite, kit, ()).scorers

    async def marks(self, call: Recorded) -> list[Mark]:
        """Return a mark of each scorer, in their order."""
        question = question_of(call)
        if isinstance(question, str):
            return [Mark(scorer=one.title, status="unmeasured", reason=question) for one in self._rule.scorers]
        return [await one.mark(question, question.case.variables) for one in self._scorers]


@dataclass(slots=True)
class Capped:
    """A judge that is asked within a sum: once it may be spent, it gives no verdict and says why.

    What is being asked is taken to cost as much as the dearest verdict so far.
    """

    judge: Judge
    cap_nusd: int
    spent_nusd: int = 0
    is_unpriced: bool = False
    """Whether a verdict had no price: then no sum can be kept to, and nothing more is asked."""
    dearest_nusd: int = 0
    _active: int = field(default=0)

    async def ask(self, kind: str, judge: str, variables: Mapping[str, Any], *, repeat: int = 0) -> Verdict:
        """As `scoring.Judge`."""
        if self.is_unpriced:
            return Verdict(error="daily cap: nobody knows what the judge costs, so that no sum can be kept to")
        expected = self.dearest_nusd * (self._active + 1)
        if self.spent_nusd >= self.cap_nusd or self.spent_nusd + expected > self.cap_nusd:
            return Verdict(error=f"daily cap: ${usd(self.cap_nusd)} are spent")
        self._active += 1
        try:
            verdict = await self.judge.ask(kind, judge, variables, repeat=repeat)
        finally:
            self._active -= 1
        if verdict.cost_nusd is not None:
            self.spent_nusd += verdict.cost_nusd
            self.dearest_nusd = max(self.dearest_nusd, verdict.cost_nusd)
        elif verdict.call and not verdict.error:
            self.is_unpriced = True
        return verdict


class _Nobody:
    """Stands in for a judge where scorers are only looked at."""

    async def ask(self, kind: str, judge: str, variables: Mapping[str, Any], *, repeat: int = 0) -> Verdict:
        """Give no verdict."""
        return Verdict(error="nobody is asked")


async def _asks_nobody(_ask: Ask, _case: str) -> Answer:
    raise AssertionError("the answer is there already")


def _scorer(written: str | dict[str, Any]) -> Scorer:
    try:
        return msgspec.convert(scorer_from(written), Scorer)
    except msgspec.ValidationError as error:
        raise ScorerRefused(f"this is no scorer: {error}") from None


def _answer(call: Recorded, said: Conversation) -> Answer:
    first = said.answers[0]
    return Answer(
        text=first.message.text,
        tool_calls=tuple(ToolCall(one.name, one.arguments) for one in first.message.tool_calls),
        refusal=first.message.refusal,
        finish=first.finish_reason,
        call=call.id,
        release=call.release,
        model=call.model,
        latency_ms=call.duration_ms,
        cost_nusd=call.cost_nusd,
        cost_status=call.cost_status,
        input_tokens=call.input_tokens,
        output_tokens=call.output_tokens,
    )


def _asked(said: Conversation) -> str:
    """Return what the user said last."""
    of_user: list[Message] = [message for message in said.messages if message.role == "user"]
    return of_user[-1].text if of_user else ""
