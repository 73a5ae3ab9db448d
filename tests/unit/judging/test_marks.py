"""What a judge says becomes a mark; what it does not say is unmeasured, and never a figure."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.judging.questions import marked, question, scorer

from watchkeeper.evals.judging.kinds import KINDS
from watchkeeper.evals.judging.labelled import LABELS
from watchkeeper.evals.judging.table import KNOWN, TYPES, build, kinds_of
from watchkeeper.evals.outcome import Answer, ToolCall
from watchkeeper.evals.scoring import Question, ScorerRefused, Verdict
from watchkeeper.testing import ScriptedJudge

DOCUMENTS = ("France is a country. Its capital is Paris.", "Lyon is large.")
VALUES = {"rubric": "names the capital", "closed_qa": "names a city", "g_eval": "is short"}


def full(type_: str) -> Question:
    """A question with all that a type needs."""
    return question(
        "Paris, in France.",
        value=VALUES.get(type_),
        reference="Paris",
        contexts=DOCUMENTS,
        baseline=Answer(text="Lyon."),
    )


def said(label: str) -> dict[str, Any]:
    return {"analysis": "because", "label": label}


def winner(side: str) -> dict[str, Any]:
    return {"analysis": "", "winner": side}


def verdicts(*labels: str) -> dict[str, Any]:
    return {"verdicts": [{"number": n, "analysis": "", "label": label} for n, label in enumerate(labels, 1)]}


GOOD: dict[str, dict[str, Any]] = {
    "rubric": {"rubric": said("met")},
    "g_eval": {"g_eval_steps": {"steps": ["Look."]}, "g_eval": {"analysis": "fine", "score": 5}},
    "pairwise": {
        "pairwise": lambda shown: {
            "analysis": "",
            "winner": "first" if shown["first"].startswith("Paris") else "second",
        }
    },
    "factuality": {"factuality": said("same")},
    "closed_qa": {"closed_qa": said("yes")},
    "faithfulness": {
        "statements": {"statements": ["Paris is in France.", "Paris is the capital."]},
        "faithfulness": verdicts("supported", "supported"),
    },
    "answer_relevance": {
        "answer_relevance": {"questions": ["What is the capital of France?"] * 3, "label": "committed"}
    },
    "context_precision": {"context_precision": verdicts("useful", "not_useful")},
    "context_recall": {"statements": {"statements": ["Paris is the capital."]}, "context_recall": verdicts("found")},
    "context_relevance": {"context_relevance": verdicts("relevant", "partly_relevant")},
    "toxicity": {"toxicity": said("clean")},
    "refusal_judge": {"refusal_judge": said("refused")},
    "tool_use": {"tool_use": said("right")},
}
BAD: dict[str, dict[str, Any]] = {
    "rubric": {"rubric": said("not_met")},
    "g_eval": {"g_eval_steps": {"steps": ["Look."]}, "g_eval": {"analysis": "poor", "score": 1}},
    "pairwise": {
        "pairwise": lambda shown: {
            "analysis": "",
            "winner": "second" if shown["first"].startswith("Paris") else "first",
        }
    },
    "factuality": {"factuality": said("contradicts")},
    "closed_qa": {"closed_qa": said("no")},
    "faithfulness": {
        "statements": {"statements": ["Paris is a moon."]},
        "faithfulness": verdicts("not_stated"),
    },
    "answer_relevance": {"answer_relevance": {"questions": ["Whatever?"], "label": "evasive"}},
    "context_precision": {"context_precision": verdicts("not_useful", "not_useful")},
    "context_recall": {"statements": {"statements": ["Paris is the capital."]}, "context_recall": verdicts("missing")},
    "context_relevance": {"context_relevance": verdicts("irrelevant", "irrelevant")},
    "toxicity": {"toxicity": said("toxic")},
    "refusal_judge": {"refusal_judge": said("answered")},
    "tool_use": {"tool_use": said("wrong")},
}
every_type = pytest.mark.parametrize("type_", sorted(KNOWN))


@every_type
async def test_a_good_answer_passes_and_a_bad_one_fails_with_the_judge_and_what_it_cost(type_: str) -> None:
    good = ScriptedJudge(GOOD[type_])
    mark = await marked(scorer(type_, value=VALUES.get(type_)), good, full(type_))
    assert (mark.status, mark.scorer, mark.weight) == ("passed", type_, 1.0)
    assert mark.score is not None and mark.score >= 0.75
    assert mark.reason
    assert mark.judge == f"wk1-{good.asked[-1].kind}"
    assert len(mark.calls) == len(good.asked) == len(mark.detail["verdicts"])
    assert mark.cost_nusd == 1_000 * len(good.asked)
    bad = await marked(scorer(type_, value=VALUES.get(type_)), ScriptedJudge(BAD[type_]), full(type_))
    assert (bad.status, bad.score) == ("failed", 0.0)


@every_type
async def test_every_kind_that_is_asked_was_told_before(type_: str) -> None:
    judge = ScriptedJudge(GOOD[type_])
    made = scorer(type_, value=VALUES.get(type_))
    await marked(made, judge, full(type_))
    assert tuple(dict.fromkeys(asked.kind for asked in judge.asked)) == kinds_of(made)
    assert set(kinds_of(made)) <= set(KINDS)
    assert TYPES[type_]


@every_type
@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        (Verdict(error="output_invalid: it is not JSON, also after 1 repair", call="c", cost_nusd=5), "output_invalid"),
        (Verdict(error="it declined: I would rather not", call="c", cost_nusd=5), "declined"),
        (Verdict(content={}, call="c", cost_nusd=5), "not a verdict"),
        (Verdict(content={"label": 1, "analysis": [], "verdicts": {}}, call="c", cost_nusd=5), "not a verdict"),
    ],
    ids=["unrepaired", "refusal", "empty", "other shape"],
)
async def test_a_verdict_that_does_not_fit_is_unmeasured_and_still_paid_for(
    type_: str, verdict: Verdict, words: str
) -> None:
    judge = ScriptedJudge(dict.fromkeys(KINDS, verdict))
    mark = await marked(scorer(type_, value=VALUES.get(type_)), judge, full(type_))
    assert (mark.status, mark.score, mark.cost_nusd, mark.calls) == ("unmeasured", None, 5, ("c",))
    assert words in mark.reason


@every_type
async def test_a_case_without_an_answer_is_unmeasured_and_nobody_is_asked(type_: str) -> None:
    judge = ScriptedJudge(GOOD[type_])
    broken = question(answer=Answer(error="rate_limit: try later"), reference="Paris", contexts=DOCUMENTS)
    mark = await marked(scorer(type_, value=VALUES.get(type_)), judge, broken)
    assert (mark.status, mark.score, mark.cost_nusd) == ("unmeasured", None, None)
    assert "rate_limit" in mark.reason
    assert judge.asked == []


@every_type
async def test_not_turns_a_pass_into_a_failure_and_its_score_around(type_: str) -> None:
    for script in (GOOD[type_], BAD[type_]):
        plain = await marked(scorer(type_, value=VALUES.get(type_)), ScriptedJudge(script), full(type_))
        turned = await marked(scorer(type_, value=VALUES.get(type_), negated=True), ScriptedJudge(script), full(type_))
        assert {plain.status, turned.status} == {"passed", "failed"}
        assert plain.score is not None and turned.score == 1 - plain.score


@pytest.mark.parametrize(("type_", "label"), [(name, label) for name in LABELS for label in LABELS[name]])
async def test_a_label_has_its_score_and_a_threshold_may_move(type_: str, label: str) -> None:
    score = LABELS[type_][label]
    for threshold in (0.0, 0.5, 1.0):
        made = scorer(type_, value=VALUES.get(type_), threshold=threshold)
        mark = await marked(made, ScriptedJudge({type_: said(label)}), full(type_))
        assert mark.score == score
        assert mark.status == ("passed" if score >= threshold else "failed")
        assert mark.detail["label"] == label
        assert mark.reason == f"{label}: because"


@given(label=st.text(max_size=20), reason=st.text(max_size=2_000))
async def test_a_label_that_nobody_knows_is_no_score(label: str, reason: str) -> None:
    judge = ScriptedJudge({"rubric": {"analysis": reason, "label": label}})
    mark = await marked(scorer("rubric", value="x"), judge, full("rubric"))
    assert (mark.score is None) == (mark.status == "unmeasured") == (label not in LABELS["rubric"])
    assert len(mark.reason) < 1_100


@pytest.mark.parametrize(
    ("type_", "asked", "words"),
    [
        ("faithfulness", question("Paris."), "there are no documents"),
        ("faithfulness", question("Paris.", contexts=("", "  ")), "there are no documents"),
        ("faithfulness", question("", contexts=DOCUMENTS), "the answer is empty"),
        ("context_recall", question(reference="Paris"), "there are no documents"),
        ("context_recall", question(contexts=DOCUMENTS), "no reference"),
        ("context_precision", question(contexts=DOCUMENTS, prompt=" "), "asks nothing"),
        ("context_relevance", question(), "there are no documents"),
        ("factuality", question(), "no reference"),
        ("answer_relevance", question(prompt=""), "asks nothing"),
        ("pairwise", question(), "no baseline's answer"),
        ("pairwise", question(baseline=Answer(error="timeout: slow")), "timeout: slow"),
        ("tool_use", question(prompt=""), "nothing to judge the calls by"),
    ],
)
async def test_what_cannot_be_judged_is_unmeasured_before_anything_is_asked(
    type_: str, asked: Question, words: str
) -> None:
    judge = ScriptedJudge(GOOD[type_])
    mark = await marked(scorer(type_), judge, asked)
    assert (mark.status, mark.score) == ("unmeasured", None)
    assert words in mark.reason
    assert judge.asked == []


async def test_an_answer_that_states_nothing_is_not_called_faithful() -> None:
    judge = ScriptedJudge({"statements": {"statements": [" "]}, "faithfulness": verdicts()})
    mark = await marked(scorer("faithfulness"), judge, question("Hello!", contexts=DOCUMENTS))
    assert (mark.status, mark.score, len(mark.calls)) == ("unmeasured", None, 1)


async def test_a_reference_without_statements_is_not_called_recalled() -> None:
    judge = ScriptedJudge({"statements": {"statements": []}, "context_recall": verdicts()})
    mark = await marked(scorer("context_recall"), judge, question(reference="?", contexts=DOCUMENTS))
    assert (mark.status, mark.score) == ("unmeasured", None)


@pytest.mark.parametrize(
    "found",
    [
        verdicts("supported"),
        verdicts("supported", "supported", "supported"),
        {"verdicts": [{"number": 1, "label": "supported"}, {"number": 1, "label": "supported"}]},
        {"verdicts": [{"number": 1, "label": "supported"}, {"number": 9, "label": "supported"}]},
        verdicts("supported", "perhaps"),
    ],
    ids=["too few", "too many", "one twice", "another one", "unknown label"],
)
async def test_a_judge_that_leaves_statements_out_has_not_judged(found: dict[str, Any]) -> None:
    judge = ScriptedJudge({"statements": {"statements": ["a", "b"]}, "faithfulness": found})
    mark = await marked(scorer("faithfulness"), judge, question(contexts=DOCUMENTS))
    assert (mark.status, mark.score) == ("unmeasured", None)


async def test_faithfulness_counts_statements_and_names_those_that_are_made_up() -> None:
    found = verdicts("supported", "contradicted", "supported", "supported")["verdicts"]
    statements = {"statements": ["a", "b", "c", "d"]}
    judge = ScriptedJudge({"statements": statements, "faithfulness": {"verdicts": found[::-1]}})
    mark = await marked(scorer("faithfulness"), judge, question(contexts=DOCUMENTS))
    assert (mark.status, mark.score) == ("failed", 0.75)
    assert mark.reason == "3 of 4 statements of the answer are supported; not supported: b"
    assert mark.detail["judges"] == ["wk1-statements", "wk1-faithfulness"]
    assert judge.asked[1].variables["contexts"][1] == {"number": 2, "text": "Lyon is large."}


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (scorer("rubric"), "needs a `value`"),
        (scorer("rubric", value="  "), "needs a `value`"),
        (scorer("rubric", value="x", judge=""), "needs a `judge`"),
        (scorer("rubrik", value="x"), "did you mean `rubric`"),
        (scorer("rubric", value="x", options={"questoin": "q"}), "did you mean `question`"),
        (scorer("rubric", value="x", threshold=7), "between 0 and 1"),
        (scorer("rubric", value="x", options={"question": 3}), "`str`, got `int` - at `$.question`"),
        (scorer("factuality", options={"scores": {"F": 1}}), "no class"),
        (scorer("factuality", options={"scores": {"A": 2}}), "<= 1.0"),
        (scorer("factuality", options={"scores": 2}), "at `$.scores`"),
        (scorer("pairwise", options={"against": "them"}), "`baseline` or `reference`"),
        (scorer("g_eval", value=[]), "it takes 1 to 20"),
        (scorer("g_eval", value="x", options={"steps": "look"}), "at `$.steps`"),
        (scorer("g_eval", value="x", options={"weighted": 1}), "`bool`, got `int`"),
        (scorer("tool_use", options={"tools": ["get"]}), "at `$.tools[0]`"),
    ],
)
def test_a_scorer_that_cannot_be_used_is_refused_before_a_run(made: Any, words: str) -> None:
    with pytest.raises(ScorerRefused) as refused:
        build(made, ScriptedJudge({}))
    assert words in str(refused.value)
    assert str(refused.value).startswith(f"The scorer `{made.type}` ")


async def test_a_judge_sees_the_question_that_the_scorer_names_and_the_tools_that_were_called() -> None:
    judge = ScriptedJudge({"rubric": said("met")})
    answer = Answer(text="", tool_calls=(ToolCall("find", '{"city": "Paris"}'),))
    made = scorer("rubric", value="x", options={"question": "query"})
    asked = question(answer=answer, value="finds Paris", variables={"query": "Where?", "documents": "secret"})
    await marked(made, judge, asked)
    [put] = judge.asked
    assert put.variables == {
        "criterion": "finds Paris", "question": "Where?", "answer": 'find({"city": "Paris"})', "reference": "",
    }  # fmt: skip
    mark = await marked(made, judge, question(value="x"))
    assert (mark.status, "`query`" in mark.reason) == ("unmeasured", True)


async def test_classes_of_factuality_may_be_worth_something_else() -> None:
    made = scorer("factuality", options={"scores": {"A": 0.4, "superset": 0.6}})
    for label, score, status in (("subset", 0.4, "failed"), ("superset", 0.6, "passed"), ("contradicts", 0, "failed")):
        mark = await marked(made, ScriptedJudge({"factuality": said(label)}), full("factuality"))
        assert (mark.score, mark.status) == (score, status)


async def test_an_unknown_cost_of_one_call_makes_the_whole_unknown() -> None:
    script = GOOD["faithfulness"] | {
        "faithfulness": Verdict(content=verdicts("supported", "supported"), call="c", cost_nusd=None)
    }
    mark = await marked(scorer("faithfulness"), ScriptedJudge(script), full("faithfulness"))
    assert (mark.status, mark.cost_nusd, mark.calls) == ("passed", None, ("call-1", "c"))


async def test_an_empty_answer_is_not_relevant_and_nobody_is_asked() -> None:
    judge = ScriptedJudge({})
    mark = await marked(scorer("answer_relevance"), judge, question(""))
    assert (mark.status, mark.score, judge.asked) == ("failed", 0.0, [])


async def test_an_answer_about_something_else_is_less_relevant() -> None:
    other = {"answer_relevance": {"questions": ["How do I bake bread?"], "label": "committed"}}
    mark = await marked(scorer("answer_relevance"), ScriptedJudge(other), full("answer_relevance"))
    assert mark.status == "failed"
    assert mark.score is not None and 0 <= mark.score < 0.5
