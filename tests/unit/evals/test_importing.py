"""Other programs' evaluations become suites, and what becomes of every part is told."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from watchkeeper.evals import kinds
from watchkeeper.evals.importing import deepeval, graders, ragas
from watchkeeper.evals.importing.formats import Format, detect, read
from watchkeeper.evals.importing.graders import scorers_of
from watchkeeper.evals.importing.imported import Imported, ImportRefused, Notes
from watchkeeper.evals.scoring import Verdict
from watchkeeper.evals.suite import Scorer
from watchkeeper.evals.suite_files import read_suite
from watchkeeper.evals.suite_writing import write_suite
from watchkeeper.releases.templates import Text

ANSWER = "{{sample.output_text}}"


def told(found: Imported, kind: str) -> list[str]:
    return [note.message for note in found.notes if note.kind == kind]


def lines(path: Path, *rows: Any) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def registry(folder: Path, kind: str, samples: list[dict[str, Any]], **args: Any) -> Imported:
    (folder / "evals").mkdir()
    (folder / "data" / "sums").mkdir(parents=True)
    lines(folder / "data" / "sums" / "samples.jsonl", *samples)
    path = folder / "evals" / "sums.yaml"
    spec = {"class": f"evals.elsuite.basic.x:{kind}", "args": {"samples_jsonl": "sums/samples.jsonl", **args}}
    path.write_text(yaml.safe_dump({"sums": {"id": "sums.dev.v0", "description": "Sums."}, "sums.dev.v0": spec}))
    assert detect(path) == "openai-registry"
    return read(path, "maths", "sums")


CHAT = [{"role": "system", "content": "Add."}, {"role": "user", "content": "2 + 2"}]


@pytest.mark.parametrize(
    ("kind", "args", "expected"),
    [
        ("Match", {}, Scorer(type="starts_with")),
        ("Includes", {}, Scorer(type="contains_any")),
        ("Includes", {"ignore_case": True}, Scorer(type="contains_any", options={"ignore_case": True})),
        ("FuzzyMatch", {}, Scorer(type="contains_any", options={"ignore_case": True})),
        ("JsonMatch", {}, Scorer(type="equals")),
    ],
)
def test_a_registry_with_its_samples(tmp_path: Path, kind: str, args: dict[str, Any], expected: Scorer) -> None:
    found = registry(tmp_path, kind, [{"input": CHAT, "ideal": '["4"]'}, {"input": "3 + 3", "ideal": "6"}], **args)
    assert found.suite.scorers == (expected,)
    first, second = found.suite.cases
    assert first.messages == tuple(CHAT)
    assert (second.variables, second.messages) == ({"input": "3 + 3"}, ())
    assert first.reference == (["4"] if kind == "JsonMatch" else '["4"]')
    assert found.suite.description == "Sums."
    assert bool(told(found, "changed")) == (kind == "FuzzyMatch")


def test_a_class_that_is_not_known_is_left_out_and_its_cases_stay(tmp_path: Path) -> None:
    found = registry(tmp_path, "Translate", [{"input": "a", "ideal": "b"}], num_few_shot=3)
    assert (len(found.suite.cases), found.suite.scorers) == (1, ())
    assert len([message for message in told(found, "left out") if "Translate" in message]) == 1
    assert len([message for message in told(found, "left out") if "num_few_shot" in message]) == 1
    assert not found.is_whole


def test_a_model_graded_eval_becomes_a_rubric_with_the_specification_s_prompt(tmp_path: Path) -> None:
    (tmp_path / "modelgraded").mkdir()
    spec = {"prompt": "Is {completion} like {ideal}? {{literal}} {tone}", "choice_strings": ["Yes", "No"]}
    spec["choice_scores"] = {"Yes": 1.0, "No": 0.0}  # type: ignore[assignment]
    (tmp_path / "modelgraded" / "like.yaml").write_text(yaml.safe_dump({"like": spec}))
    found = registry(tmp_path, "ModelBasedClassify", [{"input": "a", "ideal": "b"}], modelgraded_spec="like")
    (scorer,) = found.suite.scorers
    assert (scorer.type, scorer.name) == ("rubric", "like")
    assert scorer.value.startswith("Is (the answer) like {{ reference }}? {literal} {{ tone }}")
    assert "where the choice would be Yes" in scorer.value
    assert Text(scorer.value).render({"reference": "b", "tone": "kind"})


def test_known_specifications_become_judges_of_ours(tmp_path: Path) -> None:
    found = registry(tmp_path, "ModelBasedClassify", [{"input": "a", "ideal": "b"}], modelgraded_spec="fact")
    assert [scorer.type for scorer in found.suite.scorers] == ["factuality"]


def test_samples_that_are_not_there_are_named(tmp_path: Path) -> None:
    path = tmp_path / "sums.yaml"
    path.write_text(yaml.safe_dump({"sums.dev": {"class": "x:Match", "args": {"samples_jsonl": "none.jsonl"}}}))
    with pytest.raises(ImportRefused, match=r"none\.jsonl"):
        read(path, "f", "sums")


def definition(path: Path, *graders: dict[str, Any], items: list[Any] | None = None, **more: Any) -> Imported:
    given = {"name": "Sums", "testing_criteria": list(graders), **more}
    path.write_text(json.dumps(given | ({} if items is None else {"items": items})))
    assert detect(path) == "openai-evals"
    return read(path, "maths", "sums")


CHECK = {"type": "string_check", "name": "right", "input": ANSWER, "reference": "{{item.ideal}}", "operation": "eq"}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, Scorer(type="equals", value="{{ ideal }}", name="right")),
        ({"operation": "ne"}, Scorer(type="equals", value="{{ ideal }}", name="right", negated=True)),
        ({"operation": "like"}, Scorer(type="contains", value="{{ ideal }}", name="right")),
        (
            {"operation": "ilike", "reference": "is {{ item.a.b }}!"},
            Scorer(type="contains", value="is {{ a.b }}!", name="right", options={"ignore_case": True}),
        ),
        (
            {"input": "{{sample.output_json.sum}}"},
            Scorer(type="json_path", value="{{ ideal }}", name="right", options={"path": "$.sum"}),
        ),
        (
            {"type": "text_similarity", "evaluation_metric": "rouge_l", "pass_threshold": 0.4},
            Scorer(type="rouge", value="{{ ideal }}", name="right", threshold=0.4, options={"variant": "L"}),
        ),
        (
            {"type": "text_similarity", "evaluation_metric": "fuzzy_match"},
            Scorer(type="levenshtein", value="{{ ideal }}", name="right", options={"ignore_case": True}),
        ),
        (
            {
                "type": "score_model",
                "model": "gpt-4o",
                "input": [{"role": "user", "content": f"Rate {ANSWER} of {{{{item.q}}}}"}],
                "range": [1, 5],
                "pass_threshold": 4,
            },
            Scorer(type="g_eval", value="Rate (the answer) of {{ q }}", name="right", threshold=0.75, judge="gpt-4o"),
        ),
    ],
)
def test_a_grader_becomes_a_scorer(changes: dict[str, Any], expected: Scorer) -> None:
    notes = Notes()
    assert list(scorers_of(CHECK | changes, "eval.json: testing_criteria[0]", notes)) == [expected]
    assert len(notes.all()) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"operation": "startswith"},
        {"input": "{{item.answer}}"},
        {"input": "the answer is {{sample.output_text}}"},
        {"reference": "{{sample.output_tools[0].function.name}}"},
        {"reference": "{{item.first name}}"},
        {"type": "text_similarity", "evaluation_metric": "rouge_5"},
        {"type": "endpoint"},
        {"type": None},
        {"type": "python"},
        {"type": "score_model", "input": [{"role": "user", "content": {"type": "input_image"}}]},
    ],
)
def test_a_grader_that_cannot_be_understood_is_named_with_its_place(changes: dict[str, Any]) -> None:
    notes = Notes()
    assert list(scorers_of(CHECK | changes, "eval.json: testing_criteria[0]", notes)) == []
    assert [(note.kind, note.place) for note in notes.all()] == [("left out", "eval.json: testing_criteria[0]")]


def test_several_graders_with_a_weighted_sum_become_weights() -> None:
    notes = Notes()
    grader = {
        "type": "multi",
        "graders": {"a": CHECK, "b": CHECK | {"name": ""}},
        "calculate_output": "0.25*a + b * 0.75",
    }
    scorers = list(scorers_of(grader, "g", notes))
    assert [(scorer.title, scorer.weight) for scorer in scorers] == [("right", 0.25), ("b", 0.75)]


def test_a_formula_that_is_no_sum_is_left_out_and_the_graders_stay() -> None:
    notes = Notes()
    grader = {"type": "multi", "graders": {"a": CHECK}, "calculate_output": "max(a, 0.5)"}
    assert len(list(scorers_of(grader, "g", notes))) == 1
    assert [note.place for note in notes.all() if note.kind == "left out"] == ["g.calculate_output"]


def test_graders_within_graders_have_an_end() -> None:
    grader: dict[str, Any] = CHECK
    for _ in range(50):
        grader = {"type": "multi", "graders": {"a": grader}, "calculate_output": "a"}
    notes = Notes()
    assert list(scorers_of(grader, "g", notes)) == []
    assert any(note.kind == "left out" for note in notes.all())


def test_the_text_of_a_python_grader_comes_along_and_grades_as_it_did() -> None:
    source = 'def grade(sample, item):\n    return float(sample["output_text"] == item["ideal"])\n'
    (scorer,) = scorers_of({"type": "python", "name": "same", "source": source}, "g", Notes())
    module: dict[str, Any] = {}
    exec(compile(scorer.options["source"], "grader.py", "exec"), module)
    case = {"variables": {"ideal": "4"}, "tool_calls": []}
    assert (module["graded"]("4", case), module["graded"]("5", case)) == (1.0, 0.0)


def test_messages_of_a_run_are_filled_in_and_what_braces_say_is_kept(tmp_path: Path) -> None:
    template = [
        {"role": "developer", "content": "Answer {{item.tone}}."},
        {"role": "user", "content": {"type": "input_text", "text": "{{ item.q }} {{item.none}}{% raw %}"}},
        {"role": "user", "content": {"type": "input_image", "image_url": "x"}},
    ]
    found = definition(
        tmp_path / "e.json",
        CHECK,
        items=[{"item": {"q": "2 + {{2}}", "tone": "briefly", "ideal": "4", "id": 7}}],
        data_source={"type": "completions", "input_messages": {"type": "template", "template": template}, "model": "m"},
    )
    (case,) = found.suite.cases
    assert case.id == "7"
    assert case.messages == (
        {"role": "system", "content": "Answer briefly."},
        {"role": "user", "content": "2 + {{2}} {% raw %}"},
    )
    assert len(told(found, "left out")) == 2


def test_items_are_found_beside_the_definition(tmp_path: Path) -> None:
    lines(tmp_path / "e.jsonl", {"item": {"q": "2 + 2", "ideal": "4"}})
    assert definition(tmp_path / "e.json", CHECK).suite.cases[0].variables == {"q": "2 + 2", "ideal": "4"}


def test_a_definition_without_items_says_where_to_put_them(tmp_path: Path) -> None:
    with pytest.raises(ImportRefused, match=r"no e\.jsonl beside it"):
        definition(tmp_path / "e.json", CHECK)
    lines(tmp_path / "only.jsonl", {"item": {"q": "a"}})
    with pytest.raises(ImportRefused, match="definition"):
        detect(tmp_path / "only.jsonl")


def test_what_a_run_wrote_has_its_answers(tmp_path: Path) -> None:
    path = lines(
        tmp_path / "out.jsonl",
        {"id": "o1", "datasource_item": {"q": "a"}, "sample": {"output": [{"role": "assistant", "content": "4"}]}},
        {"id": "o2", "item": {"q": "b"}, "sample": {"output_text": "5"}},
        {"id": "o3", "datasource_item": {"q": "c"}, "sample": None},
    )
    assert detect(path) == "openai-output-items"
    found = read(path, "f", "s")
    assert [(case.id, case.answer) for case in found.suite.cases] == [("o1", "4"), ("o2", "5"), ("o3", None)]
    assert len(told(found, "left out")) == len(told(found, "changed")) == 1


def test_goldens_of_deepeval(tmp_path: Path) -> None:
    path = tmp_path / "goldens.json"
    golden = {"input": "q", "expected_output": "a", "context": ["c1", "c2"], "name": "first", "source_file": "x.md"}
    path.write_text(json.dumps([golden, {"input": "q2", "actual_output": "b", "retrieval_context": ["r"]}]))
    assert detect(path) == "deepeval"
    first, second = read(path, "f", "s").suite.cases
    assert (first.id, first.reference, first.contexts, first.answer) == ("first", "a", ("c1", "c2"), None)
    assert first.variables == {"input": "q", "source_file": "x.md"}
    assert (second.answer, second.contexts) == ("b", ("r",))


def test_a_test_run_of_deepeval_brings_its_metrics(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    metrics = [
        {"name": "Answer Relevancy", "threshold": 0.7, "score": 0.1},
        {"name": "Toxicity", "threshold": 0.2},
        {"name": "Correctness [GEval]", "threshold": 0.5},
    ]
    rows = [
        {"input": "q", "actualOutput": "a", "retrievalContext": ["r"], "metricsData": metrics, "success": False}
    ] * 2
    path.write_text(json.dumps({"testCases": rows}))
    found = read(path, "f", "s")
    assert [(scorer.type, scorer.threshold) for scorer in found.suite.scorers] == [
        ("answer_relevance", 0.7),
        ("toxicity", 0.8),
    ]
    assert any("Correctness" in message for message in told(found, "left out"))
    assert {note.times for note in found.notes} == {2}
    assert len({case.id for case in found.suite.cases}) == 2


def test_contexts_in_the_cell_of_a_table_are_parted_and_that_is_told(tmp_path: Path) -> None:
    path = tmp_path / "g.csv"
    path.write_text('input,actual_output,context\nq,a,"one|two"\nq2,b,"[""x|y""]"\nq3,c,one\n')
    found = read(path, "f", "s")
    assert [case.contexts for case in found.suite.cases] == [("one", "two"), ("x|y",), ("one",)]
    assert len(told(found, "changed")) == 1


def test_expected_tools_are_held_against_the_answer_s(tmp_path: Path) -> None:
    path = tmp_path / "g.json"
    tool = {"name": "add", "input_parameters": {"a": "{{ 2 }}"}}
    path.write_text(json.dumps([{"input": "q", "expected_tools": [tool]}, {"input": "q", "context": ["c"]}]))
    first, second = read(path, "f", "s").suite.cases
    (scorer,) = first.scorers
    assert scorer.type == "tool_calls"
    assert Text(scorer.value[0]["arguments"]["a"]).render({}) == "{{ 2 }}"
    assert second.scorers == ()


def test_samples_of_ragas(tmp_path: Path) -> None:
    path = lines(
        tmp_path / "r.jsonl",
        {
            "user_input": "q",
            "response": "a",
            "reference": "b",
            "retrieved_contexts": ["c"],
            "rubrics": {"score1": "bad"},
        },
    )
    assert detect(path) == "ragas"
    (case,) = read(path, "f", "s").suite.cases
    assert (case.variables, case.answer, case.reference, case.contexts) == ({"input": "q"}, "a", "b", ("c",))
    assert [scorer.type for scorer in case.scorers] == ["g_eval"]


def test_an_evaluation_of_ragas_brings_its_metrics_and_not_its_marks(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text(
        "question,answer,contexts,ground_truth,faithfulness,rouge_score(mode=fmeasure),team\n"
        'q,a,"[\'one\', ""it\'s two""]",b,0.9,0.5,red\n'
    )
    found = read(path, "f", "s")
    (case,) = found.suite.cases
    assert case.contexts == ("one", "it's two")
    assert case.variables == {"input": "q", "team": "red"}
    assert [scorer.type for scorer in found.suite.scorers] == ["faithfulness", "rouge"]


def test_a_conversation_of_ragas_ends_with_the_answer(tmp_path: Path) -> None:
    turns = [
        {"type": "human", "content": "hello"},
        {"type": "ai", "content": "", "tool_calls": [{"name": "look"}]},
        {"type": "tool", "content": "found"},
        {"type": "ai", "content": "there"},
    ]
    path = lines(tmp_path / "r.jsonl", {"user_input": turns, "reference_tool_calls": [{"name": "look", "args": {}}]})
    found = read(path, "f", "s")
    (case,) = found.suite.cases
    assert case.answer == "there"
    assert [message["role"] for message in case.messages] == ["user", "assistant", "user"]
    assert any("reference_tool_calls" in message for message in told(found, "left out"))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("x.json", "{"),
        ("x.json", "[1]"),
        ("x.json", '{"a": 1}'),
        ("x.json", "[]"),
        ("x.jsonl", '{"input": "a", "ideal": "b"}\nnope\n'),
        ("x.jsonl", '{"ideal": "b", "input": ""}\n'),
        ("x.csv", "input,ideal\na\n"),
        ("x.csv", ""),
        ("x.yaml", "a: [\n"),
        ("x.yaml", "- a\n"),
        ("x.txt", "hello"),
        ("x.json", "[" * 100_000),
    ],
)
def test_what_cannot_be_imported_is_refused_with_a_reason(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ImportRefused, match="Nothing was imported"):
        read(tmp_path / name, "f", "s")


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImportRefused, match="cannot be read"):
        read(tmp_path / "none.json", "f", "s")


class _Nobody:
    async def ask(self, kind: str, judge: str, variables: Any, *, repeat: int = 0) -> Verdict:
        return Verdict(error="nobody is asked")


@pytest.mark.parametrize(
    "grader",
    [
        *(CHECK | {"operation": operation} for operation in ("eq", "ne", "like", "ilike")),
        *(
            CHECK | {"type": "text_similarity", "evaluation_metric": metric, "pass_threshold": 0.5}
            for metric in graders.SIMILARITIES
        ),
        CHECK | {"input": "{{sample.output_json.sum}}"},
        CHECK | {"type": "python", "source": "def grade(sample, item): return 1"},
        CHECK | {"type": "score_model", "model": "m", "input": "Rate it"},
        CHECK
        | {"type": "label_model", "model": "m", "input": [{"role": "user", "content": "Which?"}], "labels": ["a"]},
    ],
)
def test_a_scorer_that_a_grader_becomes_can_be_used(grader: dict[str, Any]) -> None:
    for scorer in scorers_of(grader, "g", Notes()):
        kinds.build(scorer, _Nobody(), standard="m")


@pytest.mark.parametrize("known", [deepeval.METRICS, ragas.METRICS])
def test_a_metric_becomes_a_scorer_that_can_be_used(known: dict[str, tuple[str, str]]) -> None:
    for kind, _ in known.values():
        value = "a criterion" if kind in ("rubric", "g_eval", "closed_qa") else None
        kinds.build(Scorer(type=kind, value=value), _Nobody(), standard="m")


CELLS = st.none() | st.booleans() | st.integers(-9, 9) | st.text("ab{}[]%|;\"' x", max_size=8)
VALUES: st.SearchStrategy[Any] = st.recursive(
    CELLS,
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["type", "content", "name", "a"]), inner, max_size=2)
    ),
    max_leaves=5,
)
KEYS = {
    "openai-samples": ["input", "ideal", "id", "choice", "x"],
    "openai-output-items": ["datasource_item", "sample", "id"],
    "deepeval": [
        "input",
        "actual_output",
        "expected_output",
        "context",
        "expected_tools",
        "tags",
        "metricsData",
        "name",
    ],
    "ragas": [
        "user_input",
        "response",
        "reference",
        "retrieved_contexts",
        "rubrics",
        "reference_tool_calls",
        "faithfulness",
    ],
}


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), form=st.sampled_from(sorted(KEYS)))
def test_whatever_a_row_holds_it_becomes_a_suite_that_can_be_written_or_is_refused(
    tmp_path: Path, data: st.DataObject, form: Format
) -> None:
    row = st.fixed_dictionaries(dict.fromkeys(KEYS[form], VALUES))
    path = lines(tmp_path / "rows.jsonl", *data.draw(st.lists(row, min_size=1, max_size=3)))
    assert detect(path) == form
    try:
        found = read(path, "f", "s")
    except ImportRefused:
        return
    assert len({case.id for case in found.suite.cases}) == len(found.suite.cases)
    assert read_suite(write_suite(found.suite, tmp_path / "s.yaml")[0]).cases == found.suite.cases
