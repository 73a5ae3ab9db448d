"""Makes marks of findings: threshold, negation and weight mean the same for every type."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import msgspec
from msgspec import structs

from watchkeeper.config.problems import did_you_mean
from watchkeeper.evals.outcome import Mark, Status
from watchkeeper.evals.scoring import Question, ScorerRefused
from watchkeeper.evals.suite import Scorer

ANSWER_LETTERS_MAX = 1_000_000
"""A longer answer is not looked at, and stays unmeasured."""
REASON_LETTERS_MAX = 500
SHOWN_LETTERS_MAX = 80
"""Of a text that a reason quotes."""
TOO_DEEP = "what the answer or its case holds is nested too deeply to be compared"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a type finds in one answer."""

    score: float
    """Between 0 and 1."""
    reason: str
    """What was expected and what came; true whether or not that is good."""
    detail: dict[str, Any] = field(default_factory=dict[str, Any])
    passes: bool | None = None
    """For types that decide otherwise than by their own threshold; a scorer's threshold must be reached as well."""


class Undecided(Exception):
    """What is asked cannot be told of this answer; the text says why and what to do."""


Look = Callable[[Question], Finding]
"""Looks at an answer, whose text is legible, as is the value. May raise Undecided, and nothing else but
RecursionError."""
LookLater = Callable[[Question], Awaitable[Finding]]

Options = TypeVar("Options", bound=msgspec.Struct)


class Marking:
    """A scorer that looks at once."""

    def __init__(self, scorer: Scorer, look: Look, threshold: float) -> None:
        self._scorer = scorer
        self._look = look
        self._threshold = threshold
        """The type's own."""

    def mark(self, question: Question) -> Mark:
        """As `Scores.mark`."""
        try:
            finding = self._look(legible_question(question))
        except Undecided as why:
            return unmeasured(self._scorer, str(why))
        except RecursionError:
            return unmeasured(self._scorer, TOO_DEEP)
        return mark_of(self._scorer, finding, self._threshold)


class MarkingLater:
    """A scorer that asks another process."""

    def __init__(self, scorer: Scorer, look: LookLater, threshold: float) -> None:
        self._scorer = scorer
        self._look = look
        self._threshold = threshold

    async def mark_later(self, question: Question) -> Mark:
        """As `ScoresLater.mark_later`."""
        try:
            finding = await self._look(legible_question(question))
        except Undecided as why:
            return unmeasured(self._scorer, str(why))
        except RecursionError:
            return unmeasured(self._scorer, TOO_DEEP)
        return mark_of(self._scorer, finding, self._threshold)


def mark_of(scorer: Scorer, finding: Finding, threshold: float) -> Mark:
    """Make a mark of a finding.

    It passes from the scorer's threshold on, else from the type's. Negated, passing and failing change places and the
    score is what is missing to 1.
    """
    score = min(1.0, max(0.0, finding.score))
    if finding.passes is None:
        passes = score >= (threshold if scorer.threshold is None else scorer.threshold)
    else:
        passes = finding.passes and (scorer.threshold is None or score >= scorer.threshold)
    reason = cut(finding.reason, REASON_LETTERS_MAX)
    if scorer.negated:
        score, passes = 1.0 - score, not passes
        if not passes:
            reason += "; it should not be so"
    status: Status = "passed" if passes else "failed"
    return Mark(
        scorer=scorer.title,
        status=status,
        score=score,
        reason=reason,
        weight=scorer.weight,
        detail=finding.detail,
    )


def unmeasured(scorer: Scorer, reason: str) -> Mark:
    """Make the mark of an answer of which nothing can be told."""
    return Mark(scorer=scorer.title, status="unmeasured", reason=cut(reason, REASON_LETTERS_MAX), weight=scorer.weight)


def legible_question(question: Question) -> Question:
    """Replace halves of letters, which JSON can bring, by `?`.

    Raises Undecided where there is no answer, or one longer than ANSWER_LETTERS_MAX.
    """
    answer = question.answer
    if answer.error:
        raise Undecided(answer.error)
    if len(answer.text) > ANSWER_LETTERS_MAX:
        raise Undecided(
            f"the answer has {len(answer.text):,} letters and was not looked at; limit what the release may answer"
        )
    text, value = legible(answer.text), _legible_value(question.value)
    if text is answer.text and value is question.value:
        return question
    return replace(question, answer=structs.replace(answer, text=text), value=value)


def legible(text: str) -> str:
    """Return the text with `?` in the place of halves of letters; the same object where it has none."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text


def _legible_value(value: Any) -> Any:
    if isinstance(value, str):
        return legible(value)
    try:
        msgspec.json.encode(value)
    except RecursionError:
        raise Undecided("what the answer is held against is nested too deeply") from None
    except UnicodeEncodeError:
        return _without_halves(value)
    except (TypeError, ValueError) as why:
        raise Undecided(f"what the answer is held against is no JSON: {why}") from None
    return value


def _without_halves(value: Any) -> Any:
    match value:
        case str():
            return legible(value)
        case list() | tuple():
            return [_without_halves(one) for one in value]
        case dict():
            return {legible(str(key)): _without_halves(one) for key, one in value.items()}
        case _:
            return value


def settings(scorer: Scorer, kind: type[Options]) -> Options:
    """Read the scorer's options. Raises ScorerRefused naming what is wrong, and what the type takes."""
    known = [one.name for one in structs.fields(kind)]
    for name in scorer.options:
        if name not in known:
            takes = did_you_mean(str(name), known) if known else "; it takes none"
            raise refused(scorer, f"has no option `{name}`{takes}")
    try:
        return msgspec.convert(scorer.options, kind)
    except (msgspec.ValidationError, ArithmeticError) as why:
        raise refused(scorer, f"cannot take its options: {why}") from None


def refused(scorer: Scorer, what: str) -> ScorerRefused:
    """Say that a scorer cannot be used; `what` goes on after its name."""
    named = f" (type `{scorer.type}`)" if scorer.name else ""
    return ScorerRefused(f"The scorer `{scorer.title}`{named} {what}")


def check_value(scorer: Scorer, read: Callable[[Any], object]) -> None:
    """Read the scorer's own value once, unless it has a template. Raises ScorerRefused where it cannot be used."""
    if scorer.value is None or has_template(scorer.value):
        return
    try:
        read(_legible_value(scorer.value))
    except Undecided as why:
        raise refused(scorer, f"cannot take its value: {why}") from None


def has_template(value: Any) -> bool:
    """Tell whether a value depends on the case."""
    match value:
        case str():
            return "{{" in value or "{%" in value
        case list() | tuple():
            return any(has_template(one) for one in value)
        case dict():
            return any(has_template(one) for one in value.values())
        case _:
            return False


def needed(value: Any) -> Any:
    """Return the value. Raises Undecided where there is none."""
    if value is None:
        raise Undecided("there is nothing to hold the answer against; give the scorer a value or the case a reference")
    return value


def as_text(value: Any) -> str:
    """Read a value as text; a number or a truth value as JSON writes it. Raises Undecided."""
    match needed(value):
        case str():
            return str(value)
        case bool() | int() | float():
            return msgspec.json.encode(value).decode()
        case _:
            raise Undecided(f"a text is needed to hold the answer against, not {shown(value)}")


def as_texts(value: Any) -> list[str]:
    """Read a value as one text or several. Raises Undecided, also where there are none, or one is empty."""
    found = [as_text(one) for one in value] if isinstance(value, list | tuple) else [as_text(value)]
    if not found or not all(found):
        raise Undecided("the text to hold the answer against is empty")
    return found


def shown(value: Any) -> str:
    """Quote a value in a reason, cut short, on one line."""
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    line = " ".join(text[: SHOWN_LETTERS_MAX * 4].split())
    return f"`{cut(line, SHOWN_LETTERS_MAX)}`"


def cut(text: str, letters: int) -> str:
    """Return the text, or its beginning and `...`."""
    return text if len(text) <= letters else f"{text[: letters - 3]}..."
