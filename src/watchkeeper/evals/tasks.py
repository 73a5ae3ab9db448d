"""Makes tasks of a suite: who is asked what, in which order, and how an answer becomes an outcome."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from msgspec.structs import replace

from watchkeeper.core.clock import Clock
from watchkeeper.evals.asking import Ask
from watchkeeper.evals.outcome import Answer, Mark, Outcome, outcome_of
from watchkeeper.evals.run import ArmHead
from watchkeeper.evals.running import Task
from watchkeeper.evals.scoring import Question, Scores, ScoresLater
from watchkeeper.evals.suite import Case, Scorer, Suite
from watchkeeper.releases.problems import TemplateProblem
from watchkeeper.releases.templates import Text

CANDIDATE = "candidate"
BASELINE = "baseline"
QUESTION_NAMES = ("question", "query", "input", "prompt", "message", "text")
"""Variables that hold what a person asked, the likeliest first."""


Doers = Callable[[Ask, str], Awaitable[Answer]]
"""Asks the gateway for a case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kit:
    """What is needed to ask and to mark."""

    ask: Doers
    build: Callable[[Scorer], Scores | ScoresLater]
    """Makes a scorer ready; raises ScorerRefused."""
    clock: Clock
    known: Callable[[str], Awaitable[Answer | None]] | None = None
    """Gives an answer that was given before to the same ask."""
    baseline: Callable[[str, int], Awaitable[Answer | None]] | None = None
    """Gives what the baseline answered to a case, where this run does not ask it."""
    first_repeat: int = 0
    """Added to the number of each repeat where answers are told apart: another one asks anew."""


@dataclass(slots=True)
class Suited:
    """A suite made ready: its scorers are known to be usable."""

    suite: Suite
    kit: Kit
    arms: Sequence[ArmHead]
    done: Collection[tuple[str, str, int]] = ()
    """Arm, case and repeat of what is there already."""
    _scorers: list["_Ready"] = field(default_factory=list["_Ready"])
    _answers: dict[tuple[str, int], "asyncio.Future[Answer]"] = field(
        default_factory=dict[tuple[str, int], "asyncio.Future[Answer]"]
    )

    def __post_init__(self) -> None:
        """Make the suite's own scorers ready, and those of its cases once.

        Raises:
            ScorerRefused: one cannot be used.
        """
        self._scorers = [_Ready.of(scorer, self.kit) for scorer in self.suite.scorers]
        for case in self.suite.cases:
            for scorer in case.scorers:
                _Ready.of(scorer, self.kit)

    @property
    def total(self) -> int:
        """Return how many tasks there are, those that are done included."""
        return len(self.suite.cases) * self.suite.repeats * len(self.arms)

    def tasks(self) -> Iterator[Task]:
        """Give the tasks: each case under one arm after the other, the whole suite before it is repeated."""
        both = {arm.name for arm in self.arms} >= {CANDIDATE, BASELINE}
        order = sorted(self.arms, key=lambda arm: arm.name != BASELINE)
        for repeat in range(self.suite.repeats):
            for case in self.suite.cases:
                for arm in order:
                    if (arm.name, case.id, repeat) not in self.done:
                        yield Task(
                            arm=arm.name,
                            case=case.id,
                            repeat=repeat,
                            target=arm.model if case.answer is None else "",
                            perform=_Performing(self, arm, case, repeat, is_compared=both).perform,
                        )

    def answered(self, case: str, repeat: int) -> "asyncio.Future[Answer]":
        """Return what will be the baseline's answer."""
        key = (case, repeat)
        if key not in self._answers:
            self._answers[key] = asyncio.get_running_loop().create_future()
        return self._answers[key]

    def forget(self, case: str, repeat: int) -> None:
        """Let go of an answer that nobody will ask for again."""
        self._answers.pop((case, repeat), None)

    @property
    def scorers(self) -> Sequence["_Ready"]:
        """Return the suite's own scorers."""
        return self._scorers


@dataclass(frozen=True, slots=True)
class _Ready:
    """A scorer, and how its value is written."""

    scorer: Scorer
    scores: Scores | ScoresLater
    has_templates: bool

    @classmethod
    def of(cls, scorer: Scorer, kit: Kit) -> "_Ready":
        return cls(scorer, kit.build(scorer), _has_templates(scorer.value))

    async def mark(self, question: Question, variables: Mapping[str, Any]) -> Mark:
        case, value = question.case, self.scorer.value
        if value is None:
            value = case.reference
        elif self.has_templates:
            try:
                value = _rendered(value, {**variables, "reference": case.reference})
            except TemplateProblem as problem:
                return self._unmeasured(f"its value cannot be written for this case: {problem}")
        given = Question(
            case=case,
            answer=question.answer,
            value=value,
            prompt=question.prompt,
            contexts=question.contexts,
            baseline=question.baseline,
        )
        return self.scores.mark(given) if hasattr(self.scores, "mark") else await self.scores.mark_later(given)

    def _unmeasured(self, reason: str) -> Mark:
        return Mark(scorer=self.scorer.title, status="unmeasured", reason=reason, weight=self.scorer.weight)


@dataclass(frozen=True, slots=True)
class _Performing:
    """One task."""

    suited: Suited
    arm: ArmHead
    case: Case
    repeat: int
    is_compared: bool
    """Whether the run asks both arms."""

    async def perform(self) -> Outcome:
        answer = await self._answer()
        if self.is_compared and self.arm.name == BASELINE:
            expected = self.suited.answered(self.case.id, self.repeat)
            if not expected.done():
                expected.set_result(answer)
        marks = [] if answer.error else await self._marks(answer)
        if self.arm.name == CANDIDATE:
            self.suited.forget(self.case.id, self.repeat)
        return outcome_of(
            self.arm.name,
            self.case.id,
            self.repeat,
            answer,
            marks,
            threshold=self.case.threshold,
            at_ms=self.suited.kit.clock.unix_ns() // 1_000_000,
        )

    async def _answer(self) -> Answer:
        case, kit = self.case, self.suited.kit
        if case.answer is not None:
            return Answer(text=case.answer)
        ask = _ask(self.arm, self.suited.suite.feature, case, self.repeat + kit.first_repeat)
        name = hash_of(ask)
        known = await kit.known(name) if kit.known is not None else None
        if known is not None:
            return replace(known, reused=True, ask=name)
        return replace(await kit.ask(ask, case.id), ask=name)

    async def _marks(self, answer: Answer) -> list[Mark]:
        suited, case = self.suited, self.case
        question = Question(
            case=case,
            answer=answer,
            prompt=prompt_of(case),
            contexts=case.contexts,
            baseline=await self._baseline() if self.arm.name == CANDIDATE else None,
        )
        ready = [*suited.scorers, *(_Ready.of(scorer, suited.kit) for scorer in case.scorers)]
        return [await one.mark(question, case.variables) for one in ready]

    async def _baseline(self) -> Answer | None:
        suited, key = self.suited, (self.case.id, self.repeat)
        if not self.is_compared or (BASELINE, *key) in suited.done:
            return await suited.kit.baseline(*key) if suited.kit.baseline is not None else None
        return await suited.answered(*key)


def asks_of(suited: Suited) -> Iterator[str]:
    """Give the hashes of all that is still to be asked, in the order of the tasks."""
    arms = {arm.name: arm for arm in suited.arms if arm.model}
    cases = {case.id: case for case in suited.suite.cases if case.answer is None}
    for task in suited.tasks():
        if task.arm in arms and task.case in cases:
            repeat = task.repeat + suited.kit.first_repeat
            yield hash_of(_ask(arms[task.arm], suited.suite.feature, cases[task.case], repeat))


def hash_of(ask: Ask) -> str:
    """Return under which name the answer to an ask is known: equal asks have equal names."""
    content = msgspec.json.encode([ask.model, ask.messages, ask.variables, ask.parameters, ask.repeat], order="sorted")
    return hashlib.sha256(content).hexdigest()[:32]


def prompt_of(case: Case) -> str:
    """Return what a person asked in a case, as one text, for judges: the last message of the user, or its variable."""
    for message in reversed(case.messages):
        if message.get("role") == "user":
            content = message.get("content")
            return content if isinstance(content, str) else msgspec.json.encode(content).decode()
    for name in QUESTION_NAMES:
        if isinstance(value := case.variables.get(name), str):
            return value
    texts = [value for value in case.variables.values() if isinstance(value, str)]
    return texts[0] if len(texts) == 1 else msgspec.json.encode(case.variables).decode() if case.variables else ""


def _ask(arm: ArmHead, feature: str, case: Case, repeat: int) -> Ask:
    is_feature = arm.model.startswith("feature/")
    return Ask(
        model=arm.model,
        messages=case.messages if case.messages or is_feature else ({"role": "user", "content": prompt_of(case)},),
        variables=case.variables if is_feature else None,
        parameters={} if is_feature else arm.parameters,
        feature="" if is_feature else feature,
        repeat=repeat,
    )


def _has_templates(value: Any) -> bool:
    match value:
        case str():
            return "{{" in value or "{%" in value
        case list():
            return any(map(_has_templates, value))
        case dict():
            return any(map(_has_templates, value.values()))
        case _:
            return False


def _rendered(value: Any, variables: Mapping[str, Any]) -> Any:
    match value:
        case str() if _has_templates(value):
            return Text(value).render(variables)
        case list():
            return [_rendered(item, variables) for item in value]
        case dict():
            return {name: _rendered(item, variables) for name, item in value.items()}
        case _:
            return value
