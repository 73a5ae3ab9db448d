"""Two answers side by side: what the order decides is a tie, and the judge does not learn whose they are."""

from collections.abc import Mapping
from typing import Any

import pytest
from tests.unit.judging.questions import marked, question, scorer

from watchkeeper.evals.judging.probing import Pair, probe_consistency, probe_position
from watchkeeper.evals.outcome import Answer
from watchkeeper.evals.scoring import Verdict
from watchkeeper.testing import ScriptedJudge

SIDES = question("Paris.", baseline=Answer(text="Lyon."))


def wins(text: str) -> ScriptedJudge:
    """A judge that prefers one text wherever it stands."""

    def answer(shown: Mapping[str, Any]) -> dict[str, Any]:
        winner = next((side for side in ("first", "second") if shown[side] == text), "tie")
        return {"analysis": text, "winner": winner}

    return ScriptedJudge({"pairwise": answer})


def always(winner: str) -> ScriptedJudge:
    return ScriptedJudge({"pairwise": {"analysis": "", "winner": winner}})


@pytest.mark.parametrize(
    ("judge", "score", "status"),
    [
        (wins("Paris."), 1.0, "passed"),
        (wins("Lyon."), 0.0, "failed"),
        (always("tie"), 0.5, "passed"),
        (always("first"), 0.5, "passed"),
        (always("second"), 0.5, "passed"),
    ],
    ids=["better", "worse", "as good", "the first wherever", "the second wherever"],
)
async def test_only_an_answer_that_wins_in_both_orders_has_won(judge: ScriptedJudge, score: float, status: str) -> None:
    mark = await marked(scorer("pairwise"), judge, SIDES)
    assert (mark.score, mark.status, len(mark.calls)) == (score, status, 2)
    shown = [(asked.variables["first"], asked.variables["second"]) for asked in judge.asked]
    assert shown == [("Paris.", "Lyon."), ("Lyon.", "Paris.")]
    for asked in judge.asked:
        assert set(asked.variables) == {"criterion", "question", "first", "second"}
        assert "baseline" not in str(asked.variables) and "candidate" not in str(asked.variables)


async def test_a_disagreement_of_the_orders_is_told() -> None:
    mark = await marked(scorer("pairwise"), always("first"), SIDES)
    assert mark.detail["orders"] == ["this", "other"]
    assert "(shown first: better than it, shown second: worse than it)" in mark.reason


async def test_the_same_text_twice_is_a_tie_that_costs_nothing() -> None:
    judge = wins("Paris.")
    mark = await marked(scorer("pairwise"), judge, question("Lyon.", baseline=Answer(text="Lyon.")))
    assert (mark.score, mark.status, judge.asked) == (0.5, "passed", [])


async def test_an_answer_may_be_held_against_the_reference() -> None:
    made = scorer("pairwise", options={"against": "reference"})
    mark = await marked(made, wins("Paris."), question("Rome.", reference="Paris."))
    assert (mark.score, mark.status) == (0.0, "failed")
    missing = await marked(made, wins("Paris."), question("Rome."))
    assert (missing.status, missing.score) == ("unmeasured", None)


PAIRS = [Pair(question=f"{n}?", one="a", other="b") for n in range(20)]


@pytest.mark.parametrize(
    ("judge", "consistent", "slots"),
    [
        (wins("a"), 20, (0, 0)),
        (always("first"), 0, (20, 0)),
        (always("second"), 0, (0, 20)),
        (always("tie"), 20, (0, 0)),
    ],
    ids=["by the text", "the first", "the second", "ties"],
)
async def test_position_bias_is_counted(judge: ScriptedJudge, consistent: int, slots: tuple[int, int]) -> None:
    found = await probe_position(PAIRS, judge, "gpt-4o-mini")
    assert (found.pairs, found.measured, found.consistent) == (20, 20, consistent)
    assert (found.first_both_times, found.second_both_times) == slots
    assert found.consistency == consistent / 20
    assert found.cost_nusd == 40_000


async def test_pairs_without_a_verdict_are_counted_and_belong_to_no_rate() -> None:
    judge = ScriptedJudge({"pairwise": lambda shown: Verdict(error="timeout: slow") if shown["question"] == "3?" else {
        "analysis": "", "winner": "first"}})  # fmt: skip
    found = await probe_position(PAIRS, judge, "gpt-4o-mini")
    assert (found.pairs, found.measured, found.first_both_times) == (20, 19, 19)
    assert list(found.reasons.values()) == [1]
    none = await probe_position(PAIRS, ScriptedJudge({}), "gpt-4o-mini")
    assert (none.measured, none.consistency) == (0, None)


async def test_a_judge_that_wavers_is_found_by_asking_it_again() -> None:
    judge = ScriptedJudge({})
    labels = iter(["met", "met", "met"] * 3 + ["met", "not_met", "met"])
    judge.answers = {"rubric": lambda shown: {"analysis": "", "label": next(labels)}}
    samples = [{"criterion": "x", "answer": str(n)} for n in range(4)]
    found = await probe_consistency("rubric", "label", samples, judge, "gpt-4o-mini", repeats=3, at_once=1)
    assert (found.samples, found.measured, found.steady) == (4, 4, 3)
    assert found.agreement == pytest.approx((3 * 1.0 + 1 / 3) / 4)
    assert sorted({asked.repeat for asked in judge.asked}) == [0, 1, 2]
