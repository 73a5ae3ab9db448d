"""Assertions together: files, transforms, sets, scoring functions, rows, and hostile outputs."""

import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.promptfoo.grading_kit import ScriptedGrader, graded

from watchkeeper.evals.promptfoo.assertions.table import MODEL_GRADED, rule, types
from watchkeeper.evals.promptfoo.grading import problem_of
from watchkeeper.evals.promptfoo.marking import Marking
from watchkeeper.evals.promptfoo.model import Grading, GradingContext, Provider, ProviderOutput, TestCase


async def test_values_come_out_of_files_and_functions(tmp_path: Path) -> None:
    (tmp_path / "expected.txt").write_text("  Paris \n")
    (tmp_path / "schema.json").write_text('{"type": "object", "required": ["a"]}')
    (tmp_path / "check.js").write_text("module.exports = (output, context) => output.includes(context.vars.word);")
    (tmp_path / "checks.py").write_text(
        "def get_assert(output, context):\n"
        "    return {'pass': True, 'score': 0.5, 'reason': 'r', 'named_scores': {'x': 1}}\n"
        "def broken(output, context):\n    return 1 / 0\n"
    )

    async def one(assertion: dict[str, Any], output: str) -> Grading:
        return await graded([assertion], output, folder=tmp_path, variables={"word": "Par"})

    assert (await one({"type": "equals", "value": "file://expected.txt"}, "Paris")).passed
    assert (await one({"type": "is-json", "value": "file://schema.json"}, '{"a": 1}')).passed
    assert (await one({"type": "javascript", "value": "file://check.js"}, "Paris")).passed
    found = await one({"type": "python", "value": "file://checks.py"}, "Paris")
    assert (found.passed, found.score, dict(found.named_scores)) == (True, 0.5, {"x": 1.0})
    assert not (await one({"type": "python", "value": "file://checks.py", "threshold": 0.6}, "Paris")).passed
    broken = await one({"type": "python", "value": "file://checks.py:broken"}, "Paris")
    assert (broken.passed, broken.unmeasured) == (False, "")
    assert "not there" in (await one({"type": "equals", "value": "file://missing.txt"}, "Paris")).unmeasured
    assert "Ruby" in (await one({"type": "ruby", "value": "file://x.rb"}, "Paris")).unmeasured


async def test_an_assertion_looks_at_what_its_transform_makes() -> None:
    assertion = {"type": "equals", "value": "3", "transform": "JSON.parse(output).n.toString()"}
    assert (await graded([assertion], '{"n": 3}')).passed
    nothing = {"type": "equals", "value": "3", "transform": "undefined"}
    assert "nothing" in (await graded([nothing], "x")).unmeasured


async def test_a_scoring_function_has_the_last_word(tmp_path: Path) -> None:
    (tmp_path / "score.js").write_text(
        "module.exports = (named, context) => ({pass: named.m > 0.5, score: named.m / 2, reason: 'halved'});"
    )
    (tmp_path / "broken.py").write_text("def get_assert(named, context):\n    return 5\n")
    assertion = {"type": "contains", "value": "answer", "metric": "m"}
    found = await graded([assertion], folder=tmp_path, scoring="file://score.js")
    assert (found.passed, found.score, found.reason) == (True, 0.5, "halved")
    broken = await graded([assertion], folder=tmp_path, scoring="file://broken.py")
    assert (broken.passed, broken.score) == (False, 0.0)


async def test_no_assertions_pass_with_a_full_score() -> None:
    found = await graded([])
    assert (found.passed, found.score) == (True, 1.0)


async def test_assertions_by_people_and_of_rows_wait() -> None:
    found = await graded([{"type": "human"}, {"type": "select-best", "value": "best"}, {"type": "max-score"}])
    assert (found.passed, found.unmeasured, found.components) == (True, "", ())


def test_sets_of_a_wrong_form_are_named() -> None:
    assert "in another" in problem_of({"type": "assert-set", "assert": [{"type": "assert-set", "assert": []}]})
    assert "list" in problem_of({"type": "assert-set"})
    assert not problem_of({"type": "assert-set", "assert": []})


async def test_an_unknown_type_names_the_nearest() -> None:
    assert "`contains-json`" in (await graded([{"type": "contains-jsn"}])).unmeasured


async def test_the_best_of_a_row_is_chosen_by_a_grader_or_by_scores() -> None:
    outputs = [ProviderOutput(output="a"), ProviderOutput(output="bb")]
    assertions = ({"type": "javascript", "value": "output.length / 2"}, {"type": "select-best", "value": "longest"})
    context = GradingContext(
        prompt="p",
        variables={},
        test=TestCase(assertions=(*assertions, {"type": "max-score"})),
        provider=Provider(id="echo"),
        folder=Path(),
    )
    marking = Marking.made({}, ScriptedGrader("Number 1."))
    gradings = [await marking.grade(assertions, output, context) for output in outputs]
    best = await marking.compare({"type": "select-best", "value": "longest"}, outputs, gradings, context)
    assert [each.passed for each in best] == [False, True]
    highest = await marking.compare({"type": "max-score"}, outputs, gradings, context)
    assert [each.passed for each in highest] == [False, True]
    none = await marking.compare({"type": "max-score", "value": {"threshold": 2}}, outputs, gradings, context)
    assert [each.passed for each in none] == [False, False]
    marking.close()


AT_ONCE = sorted(types() - MODEL_GRADED - {"javascript", "python", "webhook", "regex"})


@pytest.fixture(scope="module")
def marking() -> Any:
    made = Marking.made({})
    yield made
    made.close()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(
    kind=st.sampled_from(AT_ONCE),
    negated=st.booleans(),
    output=st.one_of(st.text(), st.sampled_from(["{" * 50, "<a>" * 50, "[" * 5000, "SELECT " * 50, "\x00", "\ud800"])),
    value=st.one_of(st.none(), st.text(), st.integers(), st.lists(st.text(), max_size=3), st.just({"type": "object"})),
)
async def test_no_output_and_no_value_makes_an_assertion_raise(
    marking: Marking, kind: str, negated: bool, output: str, value: Any
) -> None:
    assertion = {"type": f"not-{kind}" if negated else kind, "value": value}
    context = GradingContext(
        prompt="p", variables={}, test=TestCase(), provider=Provider(id="echo"), folder=Path("/nowhere")
    )
    found = await marking.grade([assertion], ProviderOutput(output=output), context)
    assert found.score == found.score


@pytest.mark.parametrize(
    "kind",
    ["contains-json", "is-xml", "contains-xml", "contains-html", "is-html", "is-sql", "levenshtein", "tool-call-f1"],
)
@pytest.mark.parametrize("unit", ["{", "<a ", "<a>", '{"a":', "<!--", "((", "\n{", "\n{\n}}"])
async def test_a_large_hostile_output_takes_a_bounded_time(kind: str, unit: str) -> None:
    value = "x" if kind in ("levenshtein", "tool-call-f1") else None
    started = time.process_time()
    await graded([{"type": kind, **({"value": value} if value else {})}], unit * (60_000 // len(unit)))
    assert time.process_time() - started < 5


@pytest.mark.parametrize("name", sorted(types()))
def test_every_type_has_a_rule(name: str) -> None:
    assert rule(name, "latest") is not None
