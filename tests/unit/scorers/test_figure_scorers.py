"""Scorers of what an answer took, how long it is, and how sure the model was."""

import math
from typing import Any

import pytest
from tests.unit.scorers.asked import mark_of, scorer_of

from watchkeeper.evals.outcome import Answer

TOOK = Answer(text="one two three", latency_ms=250.0, cost_nusd=2_000_000, cost_status="measured", output_tokens=4)

ROWS: tuple[tuple[str, Any, float], ...] = (
    ("latency", 250, 1.0),
    ("latency", "500", 1.0),
    ("latency", 200, 0.8),
    ("latency", 0, 0.0),
    ("cost", "0.002", 1.0),
    ("cost", 0.002, 1.0),
    ("cost", "2000000 nUSD", 1.0),
    ("cost", "$0.001 USD", 0.5),
    ("cost", "1999999 nUSD", 0.9999995),
    ("tokens", 4, 1.0),
    ("tokens", {"max": 2}, 0.5),
    ("words", 3, 1.0),
    ("words", {"min": 2, "max": 5}, 1.0),
    ("words", {"min": 6}, 0.5),
    ("words", 2, 2 / 3),
)


@pytest.mark.parametrize(("type_", "value", "score"), ROWS)
def test_a_figure_beyond_its_limit_is_scored_by_how_far(type_: str, value: Any, score: float) -> None:
    mark = mark_of(scorer_of(type_, value), TOOK)
    assert mark.score == pytest.approx(score, abs=1e-12)
    assert mark.status == ("passed" if score == 1 else "failed")
    assert mark.detail


@pytest.mark.parametrize(
    ("type_", "answer", "why"),
    [
        ("latency", Answer(text="x"), "nobody measured"),
        ("latency", Answer(text="x", latency_ms=1.0, reused=True), "earlier run"),
        ("cost", Answer(text="x"), "price"),
        ("cost", Answer(text="x", cost_nusd=0, cost_status="unpriced"), "price"),
        ("cost", Answer(text="x", cost_nusd=5, cost_status="measured", reused=True), "earlier run"),
        ("tokens", Answer(text="x"), "tokens"),
        ("perplexity", Answer(text="x"), "logprobs"),
        ("perplexity", Answer(text="x", logprobs=(math.nan,)), "numbers"),
        ("finish", Answer(text="x"), "ended"),
    ],
)
@pytest.mark.parametrize("negated", [False, True])
def test_a_figure_that_is_missing_is_unmeasured(type_: str, answer: Answer, why: str, negated: bool) -> None:
    mark = mark_of(scorer_of(type_, "stop" if type_ == "finish" else 10, negated=negated), answer)
    assert (mark.status, mark.score) == ("unmeasured", None)
    assert why in mark.reason


def test_perplexity_is_e_to_the_mean_surprise() -> None:
    sure = Answer(text="x", logprobs=(math.log(0.5), math.log(0.125)))
    assert mark_of(scorer_of("perplexity", 4), sure).detail["perplexity"] == pytest.approx(4)
    assert mark_of(scorer_of("perplexity", 2), sure).score == pytest.approx(0.5)
    assert mark_of(scorer_of("perplexity", 2), Answer(text="x", logprobs=(-math.inf,))).score == 0


def test_the_reference_of_a_case_is_no_limit() -> None:
    mark = mark_of(scorer_of("latency", 100), TOOK, reference=1_000)
    assert mark.status == "failed"


def test_a_limit_that_depends_on_the_case_may_be_no_number() -> None:
    scorer = scorer_of("words", "{{ limit }}")
    assert mark_of(scorer, "one two").status == "unmeasured"


@pytest.mark.parametrize(
    ("value", "finish", "status"),
    [("stop", "stop", "passed"), (["stop", "tool_calls"], "TOOL_CALLS", "passed"), ("stop", "length", "failed")],
)
def test_the_reason_for_the_end_is_compared(value: Any, finish: str, status: str) -> None:
    assert mark_of(scorer_of("finish", value), Answer(text="x", finish=finish)).status == status
