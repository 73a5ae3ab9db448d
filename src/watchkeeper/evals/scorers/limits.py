"""Figures that must stay within limits: latency, cost, tokens, words, perplexity."""

import math
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

from msgspec import Struct

from watchkeeper.core.money import nusd, usd
from watchkeeper.evals.outcome import Answer
from watchkeeper.evals.scorers.marking import (
    Finding,
    Look,
    Undecided,
    check_value,
    refused,
    settings,
    shown,
)
from watchkeeper.evals.scoring import Question
from watchkeeper.evals.suite import Scorer

NUSD = "nUSD"


class Plain(Struct, forbid_unknown_fields=True):
    """Options of all of them: there are none."""


class Range(Struct, forbid_unknown_fields=True):
    """What a count may be; the value of `words` and `tokens`."""

    min: float = 0.0
    max: float = math.inf


def latency(scorer: Scorer) -> Look:
    """At most the value, in milliseconds."""
    limit_of = _limit(scorer, "the longest that an answer may take, in milliseconds")

    def look(question: Question) -> Finding:
        answer, limit = question.answer, limit_of(question.value)
        _asked_now(answer, "latency")
        if answer.latency_ms is None:
            raise Undecided("nobody measured how long it took; a latency is known of answers that the run asked for")
        return _below(
            answer.latency_ms,
            limit,
            f"the answer took {answer.latency_ms:,.0f} ms; the limit is {limit:,.0f} ms",
            {"latency_ms": answer.latency_ms},
        )

    return look


def cost(scorer: Scorer) -> Look:
    """At most the value: dollars as a decimal (`0.002`), or nano-dollars (`2000000 nUSD`)."""
    if scorer.value is None:
        raise refused(scorer, "needs a value: the most that an answer may cost, in dollars.")
    settings(scorer, Plain)
    check_value(scorer, as_nusd)

    def look(question: Question) -> Finding:
        answer, limit = question.answer, as_nusd(question.value)
        _asked_now(answer, "cost")
        if answer.cost_nusd is None or answer.cost_status == "unpriced":
            raise Undecided("nobody knows what the call cost; give its model a price")
        said = f"the answer cost {usd(answer.cost_nusd)} USD ({answer.cost_status}); the limit is {usd(limit)} USD"
        detail = {"cost_nusd": answer.cost_nusd, "cost_status": answer.cost_status}
        return _below(answer.cost_nusd, limit, said, detail)

    return look


def tokens(scorer: Scorer) -> Look:
    """So many tokens as the provider counted them."""
    range_of = _range(scorer)

    def look(question: Question) -> Finding:
        count = question.answer.output_tokens
        if count is None:
            raise Undecided("nobody counted the tokens of the answer")
        return _inside(count, range_of(question.value), "tokens")

    return look


def words(scorer: Scorer) -> Look:
    """So many words: what stands between blanks."""
    range_of = _range(scorer)

    def look(question: Question) -> Finding:
        return _inside(len(question.answer.text.split()), range_of(question.value), "words")

    return look


def perplexity(scorer: Scorer) -> Look:
    """At most the value: e to the power of the mean of -ln p over the answer's tokens."""
    limit_of = _limit(scorer, "the highest perplexity that an answer may have")

    def look(question: Question) -> Finding:
        limit, found = limit_of(question.value), question.answer.logprobs
        if not found:
            raise Undecided("the answer came without the probabilities of its tokens; ask for `logprobs: true`")
        mean = sum(found) / len(found)
        if math.isnan(mean):
            raise Undecided("the probabilities of the answer's tokens are no numbers")
        figure = math.exp(-mean) if -700 < mean < 700 else math.inf if mean < 0 else 0.0
        said = f"the perplexity is {figure:.4g}; the limit is {limit:g}"
        return _below(figure, limit, said, {"perplexity": figure if math.isfinite(figure) else None})

    return look


def as_nusd(value: Any) -> int:
    """Read an amount of money. Raises Undecided."""
    text = str(value).strip()
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        raise Undecided(f"an amount in dollars is needed, such as `0.002`, not {shown(value)}")
    try:
        if text.endswith(NUSD):
            amount = int(text.removesuffix(NUSD))
        else:
            # A float is taken as it is written, which is what was meant.
            amount = nusd(Decimal(text.removeprefix("$").removesuffix("USD").strip()))
    except (InvalidOperation, ValueError, OverflowError):
        raise Undecided(f"an amount in dollars is needed, such as `0.002`, not {shown(value)}") from None
    if amount < 0:
        raise Undecided(f"an amount may not be negative, as {shown(value)} is")
    return amount


def _asked_now(answer: Answer, what: str) -> None:
    if answer.reused:
        raise Undecided(f"the answer was taken from an earlier run, whose {what} is not this run's")


def _limit(scorer: Scorer, meaning: str) -> Callable[[Any], float]:
    if scorer.value is None:
        raise refused(scorer, f"needs a value: {meaning}.")
    settings(scorer, Plain)
    check_value(scorer, _not_negative)
    return _not_negative


def _not_negative(value: Any) -> float:
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not 0 <= number < math.inf:
        raise Undecided(f"a number that is not negative is needed, not {shown(value)}")
    return number


def _range(scorer: Scorer) -> Callable[[Any], Range]:
    if scorer.value is None:
        raise refused(scorer, "needs a value: the most that there may be, or `{min: ..., max: ...}`.")
    settings(scorer, Plain)

    def read(value: Any) -> Range:
        if not isinstance(value, dict):
            return Range(max=_not_negative(value))
        if not value or set(value) - {"min", "max"}:
            raise Undecided(f"a number or `{{min: ..., max: ...}}` is needed, not {shown(value)}")
        found = Range(**{name: _not_negative(number) for name, number in value.items()})
        if found.min > found.max:
            raise Undecided(f"no count is at least {found.min:g} and at most {found.max:g}")
        return found

    check_value(scorer, read)
    return read


def _below(figure: float, limit: float, said: str, detail: dict[str, Any]) -> Finding:
    """Full score up to the limit; beyond, the limit as a share of the figure."""
    return Finding(1.0 if figure <= limit else limit / figure, said, detail)


def _inside(count: int, allowed: Range, noun: str) -> Finding:
    at_most = f"at most {allowed.max:g}" if allowed.max < math.inf else ""
    at_least = f"at least {allowed.min:g}" if allowed.min > 0 else ""
    expected = " and ".join(filter(None, (at_least, at_most))) or "any number"
    said = f"the answer has {count:,} {noun}; expected {expected}"
    share = allowed.max / count if count > allowed.max else count / allowed.min if count < allowed.min else 1.0
    return Finding(share, said, {noun: count})
