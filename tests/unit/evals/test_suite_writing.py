"""A suite that is written and read again is the same suite."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from watchkeeper.evals.suite import Case, Gate, Scorer, Suite, suite_id
from watchkeeper.evals.suite_files import read_suite
from watchkeeper.evals.suite_writing import write_suite

NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,12}", fullmatch=True)
TEXTS = st.text(max_size=30)
PLAIN: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
SHARES = st.floats(0, 1)
SCORERS = st.builds(
    Scorer,
    type=NAMES,
    value=PLAIN,
    threshold=st.none() | SHARES,
    weight=st.floats(0, 9),
    negated=st.booleans(),
    judge=TEXTS,
    options=st.dictionaries(NAMES, PLAIN, max_size=2),
)
CASES = st.builds(
    Case,
    id=st.text(min_size=1, max_size=12),
    variables=st.dictionaries(TEXTS, PLAIN, max_size=3),
    messages=st.lists(st.fixed_dictionaries({"role": NAMES, "content": TEXTS}), max_size=2).map(tuple),
    reference=PLAIN,
    contexts=st.lists(TEXTS, max_size=2).map(tuple),
    tags=st.lists(TEXTS, max_size=2).map(tuple),
    cluster=TEXTS,
    weight=st.floats(0.01, 9),
    call=TEXTS,
    answer=st.none() | TEXTS,
    scorers=st.lists(SCORERS, max_size=2).map(tuple),
    threshold=st.none() | SHARES,
)
SUITES = st.builds(
    Suite,
    feature=NAMES,
    name=NAMES,
    cases=st.lists(CASES, min_size=1, max_size=4, unique_by=lambda case: case.id).map(tuple),
    scorers=st.lists(SCORERS, max_size=3, unique_by=lambda scorer: scorer.title).map(tuple),
    repeats=st.integers(1, 100),
    budget_nusd=st.none() | st.integers(0, 10**15),
    judge=NAMES,
    gate=st.builds(Gate, margin=SHARES, alpha=st.floats(0.01, 0.5), critical=st.lists(NAMES, max_size=2).map(tuple)),
    description=TEXTS.map(str.strip),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(suite=SUITES)
def test_a_suite_that_was_written_is_read_as_the_same(tmp_path: Path, suite: Suite) -> None:
    path, _ = write_suite(suite, tmp_path / "answers.yaml")
    found = read_suite(path)
    assert found == suite
    assert suite_id(found) == suite_id(suite)


def test_what_folder_and_file_say_is_not_said_again(tmp_path: Path) -> None:
    (tmp_path / "support").mkdir()
    suite = Suite(
        feature="support",
        name="answers",
        cases=(Case(id="a", scorers=(Scorer(type="contains", value="4", negated=True),)),),
        scorers=(Scorer(type="contains", negated=True),),
        budget_nusd=1_500_000_000,
    )
    path, cases = write_suite(suite, tmp_path / "support" / "answers.yaml")
    assert path.read_text().splitlines() == [
        "cases: answers.cases.jsonl",
        "scorers:",
        "  - {type: contains, not: true}",
        "budget: 1.5 USD",
    ]
    assert cases.read_text() == '{"id":"a","scorers":[{"type":"contains","value":"4","not":true}]}\n'


def test_a_suite_that_cannot_be_written_leaves_the_one_that_is_there(tmp_path: Path) -> None:
    suite = Suite(feature="f", name="s", cases=(Case(id="a"),))
    path, cases = write_suite(suite, tmp_path / "s.yaml")
    before = path.read_text(), cases.read_text()
    with pytest.raises(TypeError):
        write_suite(Suite(feature="f", name="s", cases=(Case(id="b", reference=object()),)), path)
    assert (path.read_text(), cases.read_text()) == before
    assert len(list(tmp_path.iterdir())) == 2
