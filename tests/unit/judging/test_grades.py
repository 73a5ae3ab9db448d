"""Grades by steps, weighted by what the provider tells of other grades."""

import math
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.judging.questions import marked, question, scorer

from watchkeeper.evals.judging.grading import mean_grade
from watchkeeper.evals.judging.grounding import mean_precision
from watchkeeper.evals.judging.weighing import odds_of
from watchkeeper.evals.scoring import Verdict
from watchkeeper.testing import ScriptedJudge

STEPS = {"steps": ["Look at the words.", " "]}


def token(text: str, **others: float) -> dict[str, Any]:
    """One token of an answer, with the probabilities of what could have stood there."""
    top = [{"token": name.replace("_", " "), "logprob": math.log(odd)} for name, odd in others.items()]
    return {"token": text, "logprob": -0.1, "bytes": None, "top_logprobs": top}


def written(*score: dict[str, Any]) -> list[dict[str, Any]]:
    """The tokens of an answer; its reason quotes the key that is looked for."""
    reason = [token('{"analysis": "it says \\"score\\": 2'), token('", '), token('"score'), token('":')]
    return [*reason, *score, token("}")]


ANSWER = {"analysis": 'it says "score": 2', "score": 4}


@pytest.mark.parametrize(
    ("tokens", "odds"),
    [
        (written(token(" "), token("4", **{"4": 0.5, "5": 0.25, "x": 0.25})), {"4": 0.5, "5": 0.25, "x": 0.25}),
        (written(token(" 4", **{" 4": 0.75, " 5": 0.25})), {"4": 0.75, "5": 0.25}),
        (written(token(" 4", **{" 4": 0.75, "5": 0.25})), {"4": 0.75}),
        (written(token("4")), {}),
        ([token("4", **{"4": 1.0})], {}),
        ([{"token": 4}], {}),
        (None, {}),
        ({"content": []}, {}),
    ],
    ids=["apart", "with its blank", "another start", "no others", "no key", "malformed", "none", "an object"],
)
def test_the_odds_of_a_grade_are_read_where_it_stands(tokens: Any, odds: dict[str, float]) -> None:
    found = odds_of(ANSWER, tokens)
    assert found.get("score", {}) == pytest.approx(odds)
    assert "analysis" not in found


def test_the_odds_of_a_key_within_an_earlier_one_are_not_taken_for_it() -> None:
    inner = [token('{"analysis": {"score": '), token("1", **{"1": 1.0}), token("}"), token(', "score": ')]
    tokens = [*inner, token("4", **{"4": 1.0}), token("}")]
    assert odds_of({"analysis": {"score": 1}, "score": 4}, tokens) == {"score": {"4": 1.0}}


ALTERNATIVES = st.lists(st.fixed_dictionaries({"token": st.text(max_size=3), "logprob": st.floats()}), max_size=3)


@given(st.lists(st.fixed_dictionaries({"token": st.text(max_size=4), "top_logprobs": ALTERNATIVES}), max_size=20))
def test_whatever_a_provider_tells_is_no_error(tokens: list[dict[str, Any]]) -> None:
    for odds in odds_of(ANSWER, tokens).values():
        assert all(odd >= 0 for odd in odds.values())


def test_the_mean_leaves_out_what_is_no_grade_and_distrusts_what_is_mostly_something_else() -> None:
    assert mean_grade({"4": 0.6, "5": 0.2, "x": 0.2}) == pytest.approx(4.25)
    assert mean_grade({"4": 0.3, "{": 0.7}) is None
    assert mean_grade({}) is None


@given(st.dictionaries(st.sampled_from("12345"), st.floats(0.2, 1), min_size=3))
def test_the_mean_lies_between_the_grades(odds: dict[str, float]) -> None:
    mean = mean_grade(odds)
    assert mean is not None
    assert min(map(int, odds)) <= mean <= max(map(int, odds))


async def test_steps_are_asked_for_by_criterion_alone_and_stand_in_the_question() -> None:
    judge = ScriptedJudge({"g_eval_steps": STEPS, "g_eval": {"analysis": "fine", "score": 4}})
    made = scorer("g_eval", value="is short")
    for text in ("Paris.", "Rome."):
        mark = await marked(made, judge, question(text, value="is short"))
        assert (mark.score, mark.status, mark.detail["grades"]) == (0.75, "passed", [4])
    steps = [asked.variables for asked in judge.asked if asked.kind == "g_eval_steps"]
    assert steps == [{"criterion": "is short"}] * 2, "the same question, which is asked once in a run"
    assert judge.asked[-1].variables["steps"] == ["Look at the words."]


async def test_steps_of_ones_own_are_not_derived() -> None:
    judge = ScriptedJudge({"g_eval": {"analysis": "poor", "score": 2}})
    mark = await marked(scorer("g_eval", value="x", options={"steps": ["Count."]}), judge, question(value="x"))
    assert (mark.score, mark.status) == (0.25, "failed")
    assert [asked.kind for asked in judge.asked] == ["g_eval"]


async def test_several_criteria_are_graded_one_by_one() -> None:
    grades: Mapping[str, int] = {"short": 5, "kind": 3}
    judge = ScriptedJudge({"g_eval_steps": STEPS, "g_eval": lambda shown: {
        "analysis": "r", "score": grades[shown["criterion"]]}})  # fmt: skip
    mark = await marked(scorer("g_eval", value=["short", "kind"]), judge, question(value=["short", "kind"]))
    assert (mark.score, mark.status, mark.detail["grades"]) == (0.75, "passed", [5, 3])


async def test_a_weighted_grade_uses_the_odds_and_says_so() -> None:
    content = {"analysis": "r", "score": 4}
    for odds, score, weighted in (({"score": {"4": 0.5, "2": 0.5}}, 0.5, True), ({}, 0.75, False)):
        judge = ScriptedJudge({"g_eval_steps": STEPS, "g_eval_weighted": Verdict(content=content, odds=odds)})
        mark = await marked(scorer("g_eval", value="x", options={"weighted": True}), judge, question(value="x"))
        assert mark.score == pytest.approx(score)
        assert mark.detail["is_weighted"] is weighted


@pytest.mark.parametrize("grade", [0, 6, -1])
async def test_a_grade_beyond_the_scale_is_no_grade(grade: int) -> None:
    judge = ScriptedJudge({"g_eval_steps": STEPS, "g_eval": {"analysis": "r", "score": grade}})
    mark = await marked(scorer("g_eval", value="x"), judge, question(value="x"))
    assert (mark.status, mark.score) == ("unmeasured", None)


async def test_a_criterion_without_steps_is_unmeasured() -> None:
    judge = ScriptedJudge({"g_eval_steps": {"steps": [" "]}})
    mark = await marked(scorer("g_eval", value="x"), judge, question(value="x"))
    assert (mark.status, "`options.steps`" in mark.reason) == ("unmeasured", True)


@pytest.mark.parametrize(
    ("useful", "score"),
    [([1, 0, 0], 1.0), ([0, 0, 1], 1 / 3), ([1, 0, 1], (1 + 2 / 3) / 2), ([0, 0], 0.0), ([1, 1], 1.0)],
)
def test_precision_is_weighted_by_rank(useful: list[float], score: float) -> None:
    assert mean_precision(useful) == pytest.approx(score)


@given(st.lists(st.sampled_from([0.0, 1.0]), min_size=2, max_size=30))
def test_a_useful_document_further_in_front_is_never_worse(useful: list[float]) -> None:
    in_order = sorted(useful, reverse=True)
    assert 0 <= mean_precision(useful) <= mean_precision(in_order) <= 1
