"""What holds for every type: thresholds, negation, refusals of what cannot work, and hostile answers."""

import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.scorers.asked import mark_of, question_of, scorer_of

from watchkeeper.evals.outcome import Answer, ToolCall
from watchkeeper.evals.scorers import marking
from watchkeeper.evals.scorers.marking import Marking
from watchkeeper.evals.scorers.table import KINDS, KNOWN, RUNS_CODE, TYPES, build
from watchkeeper.evals.scoring import ScorerRefused
from watchkeeper.evals.suite import Scorer

USABLE: dict[str, Scorer] = {
    "equals": scorer_of("equals", {"a": [1]}),
    "contains": scorer_of("contains", "a"),
    "contains_any": scorer_of("contains_any", ["a", "b"]),
    "contains_all": scorer_of("contains_all", ["a", "b"]),
    "starts_with": scorer_of("starts_with", "a"),
    "ends_with": scorer_of("ends_with", "a"),
    "regex": scorer_of("regex", "(a+)+$"),
    "numeric": scorer_of("numeric", 5),
    "json": scorer_of("json", {"type": "object", "properties": {"a": {"pattern": "(a+)+$"}}}, options={"within": True}),
    "json_path": scorer_of("json_path", "a", options={"path": "$..a", "within": True}),
    "sql": scorer_of("sql", options={"within": True}),
    "xml": scorer_of("xml", options={"within": True}),
    "levenshtein": scorer_of("levenshtein", "abc"),
    "rouge": scorer_of("rouge", "the cat sat"),
    "bleu": scorer_of("bleu", "the cat sat"),
    "gleu": scorer_of("gleu", "the cat sat"),
    "meteor": scorer_of("meteor", "the cat sat"),
    "similar": scorer_of("similar", "the cat sat"),
    "latency": scorer_of("latency", 100),
    "cost": scorer_of("cost", "0.01"),
    "tokens": scorer_of("tokens", 10),
    "words": scorer_of("words", {"min": 1, "max": 10}),
    "perplexity": scorer_of("perplexity", 10),
    "refusal": scorer_of("refusal"),
    "finish": scorer_of("finish", "stop"),
    "language": scorer_of("language", "en"),
    "classification": scorer_of("classification", "a", options={"labels": ["a", "b"], "within": True}),
    "tool_calls": scorer_of("tool_calls", [{"name": "f", "arguments": {"a": 1}}], options={"match": "subset"}),
    "trajectory": scorer_of("trajectory", ["f", "g"], options={"max_steps": 3}),
    "python": scorer_of("python", "len(answer) < 10"),
}
AT_ONCE = sorted(set(TYPES) - RUNS_CODE)
HOSTILE_BELOW_S = 1.5
"""On a busy core; the slowest takes 0.3 s on an idle one."""
HOSTILE: dict[str, Answer] = {
    "a megabyte": Answer(text="a " * 500_000),
    "more than that": Answer(text="a" * 1_000_001),
    "one long word": Answer(text="a" * 900_000),
    "deep JSON": Answer(text="[" * 400_000),
    "deep objects": Answer(text='{"a":' * 20_000 + "1" + "}" * 20_000),
    "just too deep": Answer(text="[" * 900 + "]" * 900),
    "many brackets": Answer(text="[{" * 100_000 + "}]"),
    "many values": Answer(text='{"a":[' + ",".join(['{"a":"a"}'] * 19_000) + "]}"),
    "half-closed": Answer(text='{"a": "' * 20_000),
    "a long number": Answer(text="1" * 900_000),
    "many numbers": Answer(text="1e9 " * 200_000),
    "laughs": Answer(text='<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><l>&b;</l>'),
    "deep XML": Answer(text="<a>" * 100_000),
    "wide XML": Answer(text="<a>" + "<b/>" * 200_000 + "</a>"),
    "catastrophe": Answer(text="a" * 50_000 + "!"),
    "NUL": Answer(text="a\x00b\x00"),
    "half a letter": Answer(text="a \ud800 b \udfff"),
    "controls": Answer(text="\x1b[31m\u202e\ufeff\r\n\t"),
    "nested SQL": Answer(text="SELECT " + "(" * 9_000 + "1" + ")" * 9_000),
    "long SQL": Answer(text="SELECT " + "a," * 9_000 + "b FROM t"),
    "joined SQL": Answer(text="SELECT 1 FROM t " + "JOIN u ON 1=1 " * 1_000),
    "long fence": Answer(text="```" * 100_000),
    "refusal words": Answer(text="i can't " * 100_000),
    "many tools": Answer(tool_calls=tuple(ToolCall("f", '{"a":1}') for _ in range(200))),
    "deep tools": Answer(tool_calls=(ToolCall("f", '{"a":' * 50_000), ToolCall("f", "\ud800"), ToolCall("", "null"))),
    "nothing": Answer(),
}


@pytest.mark.parametrize("type_", TYPES)
def test_each_type_can_be_built_and_has_a_meaning(type_: str) -> None:
    build(USABLE[type_])
    assert TYPES[type_]
    assert tuple(TYPES) == KNOWN


@pytest.mark.parametrize("type_", AT_ONCE)
def test_a_hostile_answer_neither_raises_nor_stalls(type_: str) -> None:
    built = build(USABLE[type_])
    assert isinstance(built, Marking)
    for kind, answer in HOSTILE.items():
        started = time.process_time()
        mark = built.mark(question_of(USABLE[type_], answer))
        assert time.process_time() - started < HOSTILE_BELOW_S, kind
        assert (mark.score is None) == (mark.status == "unmeasured"), kind
        assert len(mark.reason) <= marking.REASON_LETTERS_MAX + len("; it should not be so"), kind
        msgspec.json.encode(mark)


ANSWERS = st.builds(
    Answer,
    text=st.text(alphabet=st.characters(exclude_categories=()), max_size=60)
    | st.sampled_from(['{"a": "a"}', "<a><b/></a>", "SELECT 1", "a", "the cat sat", "I'm sorry, I can't help."]),
    tool_calls=st.lists(
        st.builds(ToolCall, st.sampled_from(["f", "g"]), st.sampled_from(['{"a": 1}', "{}", "x", "[]"])), max_size=4
    ).map(tuple),
    latency_ms=st.none() | st.floats(0, 1e9),
    cost_nusd=st.none() | st.integers(0, 10**12),
    cost_status=st.sampled_from(["measured", "unpriced"]),
    output_tokens=st.none() | st.integers(0, 10**6),
    finish=st.sampled_from(["", "stop", "length"]),
    logprobs=st.lists(st.floats(max_value=0) | st.just(float("nan")), max_size=3).map(tuple),
    reused=st.booleans(),
)
VALUES = st.none() | st.recursive(
    st.text(max_size=8) | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)


@pytest.mark.parametrize("type_", AT_ONCE)
@settings(max_examples=15, deadline=None)
@given(answer=ANSWERS, threshold=st.none() | st.floats(0, 1))
def test_negated_it_passes_what_failed_and_the_other_way_round(
    type_: str, answer: Answer, threshold: float | None
) -> None:
    scorer = msgspec.structs.replace(USABLE[type_], threshold=threshold)
    plain, negated = mark_of(scorer, answer), mark_of(msgspec.structs.replace(scorer, negated=True), answer)
    assert {plain.status, negated.status} in ({"passed", "failed"}, {"unmeasured"})
    if plain.score is not None and negated.score is not None:
        assert plain.score + negated.score == pytest.approx(1)
        assert 0 <= plain.score <= 1


@pytest.mark.parametrize("type_", sorted({*AT_ONCE} - {"latency", "cost", "tokens", "words", "perplexity", "finish"}))
@settings(max_examples=15, deadline=None)
@given(answer=ANSWERS, reference=VALUES)
def test_no_reference_makes_it_raise(type_: str, answer: Answer, reference: Any) -> None:
    takes_schema = type_ in ("json", "xml", "sql", "refusal", "language")
    scorer = msgspec.structs.replace(USABLE[type_], value=USABLE[type_].value if takes_schema else None)
    mark_of(scorer, answer, reference)


@pytest.mark.parametrize("reference", ["\ud800", ["\ud800", "a"], {"a": "\udfff"}, float("nan"), [[[["a"]]]], b"x"])
@pytest.mark.parametrize("type_", ["equals", "contains", "contains_any", "regex", "rouge", "tool_calls", "levenshtein"])
def test_a_malformed_reference_does_not_raise(type_: str, reference: Any) -> None:
    mark_of(scorer_of(type_), "a ? b", reference)


def test_a_case_without_an_answer_is_unmeasured_for_the_reason_that_there_is_none() -> None:
    mark = mark_of(scorer_of("contains", "a", negated=True), Answer(error="the provider was down"))
    assert (mark.status, mark.reason) == ("unmeasured", "the provider was down")


def test_weight_and_name_go_into_the_mark() -> None:
    mark = mark_of(scorer_of("contains", "a", name="says a", weight=2.5), "a")
    assert (mark.scorer, mark.weight) == ("says a", 2.5)


def test_a_negated_mark_says_that_it_should_not_be_so() -> None:
    mark = mark_of(scorer_of("contains", "a", negated=True), "a")
    assert mark.reason == "the answer holds `a`; it should not be so"


@pytest.mark.parametrize(
    ("scorer", "says"),
    [
        (scorer_of("contans", "a"), "did you mean `contains`?"),
        (scorer_of("contains", "a", options={"ignorecase": True}), "did you mean `ignore_case`?"),
        (scorer_of("refusal", options={"language": "de"}), "it takes none"),
        (scorer_of("contains", "a", options={"ignore_case": "perhaps"}), "bool"),
        (scorer_of("contains", ""), "is empty"),
        (scorer_of("contains", "a", threshold=5), "between 0 and 1"),
        (scorer_of("contains", "a", weight=-1), "0 or more"),
        (scorer_of("contains", "a", judge="gpt-4o"), "no judge"),
        (scorer_of("regex", "(?<=a)b"), "RE2"),
        (scorer_of("regex", r"(a)\1"), "RE2"),
        (scorer_of("numeric", "five"), "a number is needed"),
        (scorer_of("numeric", 5, options={"absolute": -1}), "not negative"),
        (scorer_of("json", {"type": "nonsense"}), "schema"),
        (scorer_of("json_path", "a"), "path"),
        (scorer_of("json_path", "a", options={"path": "$.["}), "RFC 9535"),
        (scorer_of("sql", options={"dialect": "postgress"}), "did you mean `postgres`?"),
        (scorer_of("meteor", "a", options={"language": "englisch"}), "did you mean `english`?"),
        (scorer_of("latency"), "milliseconds"),
        (scorer_of("cost", "cheap"), "dollars"),
        (scorer_of("cost", -1), "negative"),
        (scorer_of("words", {"mix": 1}), "min"),
        (scorer_of("words", {"min": 5, "max": 2}), "no count"),
        (scorer_of("finish"), "stop"),
        (scorer_of("language"), "`de`"),
        (scorer_of("classification", options={"within": True}), "labels"),
        (scorer_of("classification", "c", options={"labels": ["a", "b"]}), "none of the labels"),
        (scorer_of("classification", options={"labels": ["a", "A"]}), "differ only"),
        (scorer_of("tool_calls", [{"arguments": {}}]), "name"),
        (scorer_of("tool_calls", options={"match": "schema"}), "tools"),
        (scorer_of("tool_calls", options={"match": "sloppy"}), "sloppy"),
        (scorer_of("python"), "FILE.py:NAME"),
        (scorer_of("python", "len(answer"), "expression"),
        (scorer_of("python", "there_is_none.py:check"), "cannot read"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_asked(scorer: Scorer, says: str) -> None:
    with pytest.raises(ScorerRefused) as refusal:
        build(scorer)
    assert says in str(refusal.value)
    assert scorer.type in str(refusal.value)


def test_a_value_that_depends_on_the_case_is_not_refused() -> None:
    assert mark_of(scorer_of("regex", "{{ pattern }}("), "a").status == "unmeasured"


def test_the_table_loads_nothing_that_a_scorer_may_need() -> None:
    heavy = ("numpy", "sqlglot", "wordllama", "jsonpath", "rapidfuzz", "re2", "py3langid", "snowballstemmer")
    script = f"import sys, watchkeeper.evals.scorers.table; print([m for m in {heavy!r} if m in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_the_page_about_scorers_has_a_row_for_each_type_with_its_threshold_and_options() -> None:
    page = (Path(__file__).parents[3] / "docs/scorers.md").read_text("utf-8")
    rows = {match[1]: match[0] for match in re.finditer(r"^\| `(\w+)` \|.*$", page, re.MULTILINE)}
    assert list(rows) == list(KNOWN)
    for name, kind in KINDS.items():
        threshold = rows[name].split("|")[4].strip()
        assert threshold.split(" ")[0] == f"{kind.threshold:g}", name
        with pytest.raises(ScorerRefused) as refusal:
            build(msgspec.structs.replace(USABLE[name], options={**USABLE[name].options, "zzzzz": 1}))
        options = re.findall(r"`(\w+)`", str(refusal.value).partition("`zzzzz`")[2])
        assert [one for one in options if f"`{one}" not in rows[name].split("|", 5)[5]] == [], name
