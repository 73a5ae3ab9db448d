"""A case in a run: both answers side by side, the marks of each, every repeat, and how it fared in earlier runs."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from watchkeeper.console import figures
from watchkeeper.console.pages.call_release import release_href, short
from watchkeeper.console.pages.release_diff import PlaceDiff, text_diff
from watchkeeper.console.pages.run import ID_LETTERS_MAX
from watchkeeper.console.pages.runs import STANDING_SHAPES, RunMark, case_href, run_href, suite_href, tried
from watchkeeper.console.query import address
from watchkeeper.evals.outcome import Answer, Mark, Outcome
from watchkeeper.evals.reports import wording
from watchkeeper.evals.run import ArmHead, RunHead
from watchkeeper.evals.suite import Case
from watchkeeper.store.run_history import RunBrief
from watchkeeper.store.standings import CaseStanding

TEXT_MAX = 8_000
"""Characters of an answer, a question or a reference on the page."""
REASON_MAX = 2_000
DETAIL_MAX = 3_000
MARKS_MAX = 40
REPEATS_MAX = 100
CALLS_MAX = 5
NO_ANSWER = "There is no answer."
"""In the place of why, for who may not read it: errors quote what was asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkLine:
    """What one scorer said."""

    scorer: str
    mark: RunMark
    score: str
    reason: str
    judge: str
    judge_href: str
    calls: tuple[tuple[str, str], ...]
    """Of the judge: what they are called, and where they are."""
    cost: str
    detail: str
    """JSON: of a judge, its verdict as it came."""
    counts: bool
    """Whether it decides anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One arm's answer."""

    name: str
    title: str
    mark: RunMark
    score: str
    facts: tuple[str, ...]
    text: str
    left_out: int
    error: str
    call_href: str
    marks: tuple[MarkLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RepeatLine:
    """One repeat under every arm, in the order of the sides."""

    title: str
    href: str
    is_shown: bool
    marks: tuple[RunMark | None, ...]
    """None where it was not asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierLine:
    """How the case stood in one run."""

    href: str
    at: str
    tried: str
    mark: RunMark
    repeats: str
    reason: str
    is_this: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TextPart:
    """A text, or as much of it as fits."""

    title: str
    text: str
    left_out: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCasePage:
    """The page."""

    run: str
    run_href: str
    suite: str
    suite_href: str
    id: str
    shown: str
    tags: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    call_href: str
    """The call that the case was made from; empty for none."""
    asked: tuple[TextPart, ...]
    """Question, reference, documents; empty without the right to read them."""
    sides: tuple[Side, ...]
    """What was before on the left, as differences have it."""
    diff: PlaceDiff | None
    """The baseline's answer against the candidate's; None where there are not two, or they are the same."""
    are_same: bool
    arms: tuple[str, ...]
    """Heads of the columns of `repeats`."""
    repeats: tuple[RepeatLine, ...]
    repeats_left: str
    earlier: tuple[EarlierLine, ...]
    may_read_bodies: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFound:
    """What the stores say of a case in a run."""

    head: RunHead
    case: str
    arms: Sequence[ArmHead]
    """The candidate first; with that of another run where the baseline is one."""
    outcomes: Mapping[tuple[str, int], Outcome]
    """By arm and repeat."""
    repeat: int
    """That is shown."""
    content: Case | None = None
    """None where the suite does not have it, or without the right to read it."""
    runs: Sequence[RunBrief] = ()
    """Of the suite, the newest first."""
    earlier: Mapping[str, CaseStanding] = field(default_factory=dict[str, CaseStanding])
    """By run."""
    may_read_bodies: bool = True


def run_case_page(found: CaseFound) -> RunCasePage:
    """Build the page."""
    head, content = found.head, found.content
    sides = tuple(
        _side(arm, found.outcomes[arm.name, found.repeat], may_read=found.may_read_bodies)
        for arm in reversed(found.arms)
        if (arm.name, found.repeat) in found.outcomes
    )
    texts = [side.text for side in sides if not side.error]
    both = len(texts) == 2 and found.may_read_bodies
    lines = _repeats(found)
    return RunCasePage(
        run=head.id,
        run_href=run_href(head.id),
        suite=head.title,
        suite_href=suite_href(head.feature, head.suite),
        id=found.case,
        shown=found.case if len(found.case) <= ID_LETTERS_MAX else f"{found.case[:ID_LETTERS_MAX]}…",
        tags=content.tags if content is not None else (),
        facts=_facts(content),
        call_href=f"/calls/{content.call}" if content is not None and content.call else "",
        asked=_asked(content),
        sides=sides,
        diff=text_diff(texts[0], texts[1]) if both and texts[0] != texts[1] else None,
        are_same=both and texts[0] == texts[1],
        arms=tuple(arm.name for arm in reversed(found.arms)),
        repeats=lines[:REPEATS_MAX] if len(lines) > 1 else (),
        repeats_left=figures.count(len(lines) - REPEATS_MAX) if len(lines) > REPEATS_MAX else "",
        earlier=_earlier(found),
        may_read_bodies=found.may_read_bodies,
    )


def telling(outcomes: Sequence[Outcome], candidate: str) -> int:
    """Return the repeat that tells the most: the candidate's first that failed, else was not measured, else any."""
    order = ("failed", "unmeasured", "passed")
    ranked = sorted(outcomes, key=lambda one: (one.arm != candidate, order.index(one.status), one.repeat))
    return ranked[0].repeat if ranked else 0


def _facts(content: Case | None) -> tuple[tuple[str, str], ...]:
    if content is None:
        return ()
    facts = [("Cluster", content.cluster)] if content.cluster else []
    facts += [("Weight", f"{content.weight:g}")] if content.weight != 1 else []
    facts += [("Passes from a score of", f"{content.threshold:g}")] if content.threshold is not None else []
    return tuple(facts)


def _asked(content: Case | None) -> tuple[TextPart, ...]:
    if content is None:
        return ()
    parts = [_text("Question", asked(content))]
    if content.reference is not None:
        parts.append(_text("Reference", plain(content.reference)))
    if content.contexts:
        parts.append(_text("Documents", "\n\n".join(content.contexts)))
    return tuple(part for part in parts if part.text)


def asked(case: Case) -> str:
    """Write what a case asks as one text: a lone variable without its name, messages with their roles."""
    variables = list(case.variables.items())
    parts = [plain(variables[0][1])] if len(variables) == 1 else [f"{name}: {plain(one)}" for name, one in variables]
    messages = [(str(one.get("role", "")), plain(one.get("content", ""))) for one in case.messages]
    if len(messages) == 1 and not parts:
        return messages[0][1]
    return "\n".join([*parts, *(f"{role}: {content}" for role, content in messages)])


def _text(title: str, text: str) -> TextPart:
    return TextPart(title=title, text=text[:TEXT_MAX], left_out=max(0, len(text) - TEXT_MAX))


def plain(value: Any) -> str:
    """Write a text as it is, and anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False, default=str)


def _side(arm: ArmHead, outcome: Outcome, *, may_read: bool) -> Side:
    answer = outcome.answer
    whole = wording.answer_text(answer) if may_read else ""
    return Side(
        name=arm.name,
        title=short(arm.release) or arm.title or arm.model or arm.name,
        mark=RunMark(STANDING_SHAPES[outcome.status], outcome.status),
        score=_score(outcome.score),
        facts=_answer_facts(answer),
        text=whole[:TEXT_MAX],
        left_out=max(0, len(whole) - TEXT_MAX),
        error=answer.error[:REASON_MAX] if may_read or not answer.error else NO_ANSWER,
        call_href=f"/calls/{answer.call}" if answer.call else "",
        marks=tuple(_mark(mark, may_read=may_read) for mark in outcome.marks[:MARKS_MAX]),
    )


def _answer_facts(answer: Answer) -> tuple[str, ...]:
    facts = [answer.model] if answer.model else []
    facts += [wording.milliseconds(answer.latency_ms)] if answer.latency_ms is not None else []
    facts += [wording.money(answer.cost_nusd, answer.cost_status)] if answer.call else []
    if answer.output_tokens is not None:
        facts.append(f"{figures.count(answer.output_tokens)} tokens")
    facts += [f"finish: {answer.finish}"] if answer.finish and answer.finish != "stop" else []
    facts += ["taken from an earlier run"] if answer.reused else []
    return tuple(facts)


def _mark(mark: Mark, *, may_read: bool) -> MarkLine:
    detail = json.dumps(mark.detail, indent=2, ensure_ascii=False, default=str) if mark.detail and may_read else ""
    return MarkLine(
        scorer=mark.scorer[:ID_LETTERS_MAX],
        mark=RunMark(STANDING_SHAPES[mark.status], mark.status),
        score=_score(mark.score),
        reason=mark.reason[:REASON_MAX] if may_read else "",
        judge=short(mark.judge),
        judge_href=release_href(mark.judge),
        calls=tuple(
            (f"judge's call {place + 1}", f"/calls/{call}") for place, call in enumerate(mark.calls[:CALLS_MAX])
        ),
        cost=wording.money(mark.cost_nusd, "measured") if mark.calls else "",
        detail=detail[:DETAIL_MAX],
        counts=mark.weight > 0,
    )


def _score(score: float | None) -> str:
    return "" if score is None else f"{score:.3g}"


def _repeats(found: CaseFound) -> tuple[RepeatLine, ...]:
    known = sorted({repeat for _, repeat in found.outcomes})
    href = case_href(found.head.id, found.case)
    return tuple(
        RepeatLine(
            title=f"{repeat + 1}",
            href=address(href, repeat=str(repeat)),
            is_shown=repeat == found.repeat,
            marks=tuple(_status(found.outcomes.get((arm.name, repeat))) for arm in reversed(found.arms)),
        )
        for repeat in known
    )


def _status(outcome: Outcome | None) -> RunMark | None:
    return None if outcome is None else RunMark(STANDING_SHAPES[outcome.status], outcome.status)


def _earlier(found: CaseFound) -> tuple[EarlierLine, ...]:
    lines = []
    for run in found.runs:
        one = found.earlier.get(run.head.id)
        if one is None:
            continue
        times = one.passed + one.failed + one.unmeasured
        lines.append(
            EarlierLine(
                href=case_href(run.head.id, found.case),
                at=figures.iso(run.at),
                tried=tried(run.head),
                mark=RunMark(STANDING_SHAPES[one.standing], one.standing),
                repeats=f"{one.passed} of {times}" if times > 1 else "",
                reason=one.reason if found.may_read_bodies else ", ".join(one.scorers),
                is_this=run.head.id == found.head.id,
            )
        )
    return tuple(lines)
