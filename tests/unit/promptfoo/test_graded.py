"""What models grade: the answers of graders are read as promptfoo reads them."""

from typing import Any

import pytest
from tests.unit.promptfoo.grading_kit import ScriptedGrader, graded

from watchkeeper.evals.promptfoo.model import Compat


def _rubric(**more: Any) -> dict[str, Any]:
    return {"type": "llm-rubric", "value": "is polite to {{ who }}", **more}


@pytest.mark.parametrize(
    ("answer", "assertion", "passed", "score"),
    [
        ('{"pass": true, "score": 0.8, "reason": "so"}', _rubric(), True, 0.8),
        ('Well: {"pass": false, "score": 0.2} and {"pass": true}', _rubric(), False, 0.2),
        ('{"score": 0.4}', _rubric(), True, 0.4),
        ('{"pass": "yes"}', _rubric(), True, 1.0),
        ('{"pass": "no"}', _rubric(), False, 0.0),
        ('{"pass": true, "score": 0.6}', _rubric(threshold=0.7), False, 0.6),
        ('{"pass": true, "score": "0.9"}', _rubric(threshold=0.7), True, 0.9),
        ("no JSON at all", _rubric(), False, 0.0),
        ("!the model is away", _rubric(), False, 0.0),
        ('{"pass": true, "score": 1}', _rubric(type="not-llm-rubric"), False, 0.0),
        ("no JSON at all", _rubric(type="not-llm-rubric"), False, 0.0),
    ],
)
async def test_a_rubric_is_read(answer: str, assertion: dict[str, Any], passed: bool, score: float) -> None:
    grader = ScriptedGrader(answer)
    found = await graded([assertion], grader=grader, variables={"who": "Ann"})
    assert (found.passed, found.score) == (passed, score)
    assert "is polite to Ann" in grader.asked[0]
    assert "an answer" in grader.asked[0]


async def test_negating_a_rubric_did_nothing_in_promptfoo_0_118() -> None:
    grader = ScriptedGrader('{"pass": true, "score": 1}')
    assert (await graded([_rubric(type="not-llm-rubric")], grader=grader, compat="0.118")).passed


async def test_without_a_grader_a_graded_case_is_unmeasured_and_says_what_to_do() -> None:
    found = await graded([_rubric(), {"type": "contains", "value": "answer"}])
    assert "--grader" in found.unmeasured


async def test_ones_own_rubric_prompt_and_provider_are_used() -> None:
    grader = ScriptedGrader('{"pass": true}')
    prompt = '[{"role": "system", "content": "Judge"}, {"role": "user", "content": "{{ output }} by {{ rubric }}"}]'
    await graded([_rubric(rubricPrompt=prompt, provider="openai:gpt-4o")], grader=grader)
    assert grader.asked == ["an answer by is polite to "]
    assert grader.providers == ["openai:gpt-4o"]


@pytest.mark.parametrize(
    ("answer", "options", "passed", "score"),
    [
        ('{"category": "A", "reason": "r"}', {}, True, 1.0),
        ('{"category": "d"}', {}, False, 0.0),
        ("(D) they contradict", {}, False, 0.0),
        ("(b) more", {"factuality": {"superset": 0.3}}, True, 0.3),
        ('{"category": "F"}', {}, False, 0.0),
        ("nothing", {}, False, 0.0),
    ],
)
async def test_factuality_is_one_of_five(answer: str, options: dict[str, Any], passed: bool, score: float) -> None:
    found = await graded([{"type": "factuality", "value": "x"}], grader=ScriptedGrader(answer), options=options)
    assert (found.passed, found.score) == (passed, score)


@pytest.mark.parametrize(
    ("answer", "passed"), [("because\nY", True), ("because\nN\n", False), ("Yes", False), ("Y ", True)]
)
async def test_a_closed_question_ends_in_y(answer: str, passed: bool) -> None:
    found = await graded([{"type": "model-graded-closedqa", "value": "x"}], grader=ScriptedGrader(answer))
    assert found.passed is passed


async def test_g_eval_rates_by_steps_and_takes_the_mean_of_criteria() -> None:
    grader = ScriptedGrader('{"steps": ["a", "b"]}', '{"score": 8, "reason": "r"}', '{"steps": ["c"]}', '{"score": 4}')
    found = await graded([{"type": "g-eval", "value": ["one", "two"]}], grader=grader)
    assert found.score == pytest.approx(0.6)
    assert (found.passed, found.tokens.requests) == (False, 4)
    broken = await graded([{"type": "g-eval", "value": "one"}], grader=ScriptedGrader("no steps"))
    assert (broken.passed, broken.score) == (False, 0.0)


@pytest.mark.parametrize(("compat", "passed"), [("0.118", True), ("latest", False)])
async def test_recall_counts_attributed_lines(compat: Compat, passed: bool) -> None:
    grader = ScriptedGrader("1. a [Attributed]\n2. b [Not Attributed]\n\n3. c [Not Attributed]")
    found = await graded([{"type": "context-recall", "value": "truth"}], grader=grader, compat=compat)
    assert found.score == pytest.approx(1 / 3)
    assert found.passed is passed


async def test_relevance_and_faithfulness_need_a_question_and_documents() -> None:
    variables = {"query": "what?", "context": ["one", "two", "three", "four"]}
    relevant = await graded([{"type": "context-relevance"}], grader=ScriptedGrader("one\ntwo"), variables=variables)
    assert relevant.score == 0.5
    none = await graded(
        [{"type": "context-relevance"}], grader=ScriptedGrader("Insufficient Information"), variables=variables
    )
    assert none.score == 0
    grader = ScriptedGrader("s1\ns2\ns3\ns4", "reasons\nFinal verdict for each statement in order: Yes. No. Yes. Yes.")
    faithful = await graded([{"type": "context-faithfulness"}], grader=grader, variables=variables)
    assert faithful.score == 0.75
    missing = await graded([{"type": "context-relevance"}], grader=ScriptedGrader("x"), variables={"query": "what?"})
    assert "contextTransform" in missing.unmeasured


async def test_documents_may_come_out_of_the_output() -> None:
    assertion = {"type": "context-relevance", "contextTransform": "output.documents"}
    output = {"documents": ["one", "two"]}
    found = await graded([assertion], output, grader=ScriptedGrader("one"), variables={"query": "what?"})
    assert found.score == 0.5


async def test_an_answer_is_held_against_the_questions_it_answers() -> None:
    found = await graded([{"type": "answer-relevance"}], grader=ScriptedGrader("a b c"), variables={"query": "abc"})
    assert found.score == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("kind", "value", "passed", "score"),
    [
        ("similar", "abc", True, 1.0),
        ("similar", "a", False, pytest.approx(0.57735, abs=1e-4)),
        ("similar", ["a", "cab"], True, 1.0),
        ("not-similar", "abc", False, pytest.approx(0.0)),
        ("not-similar", "zzz", True, 1.0),
        ("similar:euclidean", "abc", True, 1.0),
        ("similar:dot", "abc", True, 3.0),
    ],
)
async def test_likeness_is_measured_by_vectors(kind: str, value: Any, passed: bool, score: Any) -> None:
    found = await graded([{"type": kind, "value": value}], "abc", grader=ScriptedGrader("x"))
    assert (found.passed, found.score) == (passed, score)


async def test_a_conversation_is_looked_at_turn_by_turn() -> None:
    turns = [{"input": "a", "output": "b"}, {"input": "c", "output": "d"}]
    grader = ScriptedGrader('{"verdict": "yes"}', '{"verdict": "no", "reason": "off"}')
    found = await graded(
        [{"type": "conversation-relevance", "threshold": 0.5}], grader=grader, variables={"_conversation": turns}
    )
    assert (found.passed, found.score) == (True, 0.5)


@pytest.mark.parametrize("kind", ["moderation", "classifier", "pi", "ruby", "promptfoo:redteam:harmful"])
async def test_what_needs_a_service_is_unmeasured_and_named(kind: str) -> None:
    found = await graded([{"type": kind, "value": "x"}])
    assert kind in found.unmeasured
