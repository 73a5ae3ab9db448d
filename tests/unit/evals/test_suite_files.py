"""A suite is read from files, and every mistake in them is named with its place."""

from pathlib import Path

import pytest

from watchkeeper.evals.suite import Scorer, suite_id
from watchkeeper.evals.suite_files import SuiteRefused, read_suite


def written(folder: Path, suite: str, **files: str) -> Path:
    place = folder / "support"
    place.mkdir(exist_ok=True)
    for name, text in files.items():
        (place / name.replace("__", ".")).write_text(text)
    path = place / "answers.yaml"
    path.write_text(suite)
    return path


def refused(path: Path) -> list[str]:
    with pytest.raises(SuiteRefused) as error:
        read_suite(path)
    return [str(problem).removeprefix(f"{path.parent}/") for problem in error.value.problems]


def test_a_suite_is_named_after_its_file_and_its_feature_after_the_folder(tmp_path: Path) -> None:
    suite = read_suite(written(tmp_path, "cases: [{id: a, variables: {question: x}}]\nscorers: [contains]\n"))
    assert (suite.title, suite.scorers) == ("support/answers", (Scorer(type="contains"),))


def test_cases_come_from_lines_columns_lists_and_the_suite_itself_in_their_order(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "cases: [a.jsonl, {id: inline, variables: {q: 1}}, b.csv, c.yaml]\n",
        a__jsonl='{"id": "line", "variables": {"q": "x"}, "tags": "one"}\n\n',
        b__csv='id,q,reference,tags,weight\ncolumn,"a, b",yes,"one, two",0.5\n',
        c__yaml="- {id: listed, messages: [{role: user, content: hi}]}\n",
    )
    cases = read_suite(path).cases
    assert [case.id for case in cases] == ["line", "inline", "column", "listed"]
    assert (cases[0].tags, cases[2].tags, cases[2].weight) == (("one",), ("one", "two"), 0.5)
    assert cases[2].variables == {"q": "a, b"} and cases[2].reference == "yes"


def test_a_case_without_an_id_keeps_the_one_that_follows_from_its_content(tmp_path: Path) -> None:
    one = read_suite(
        written(tmp_path, "cases: [{variables: {q: a}}, {variables: {q: b}}, {variables: {q: a}}]\n")
    ).cases
    other = read_suite(written(tmp_path, "cases: [{variables: {q: b}}, {variables: {q: a}}]\n")).cases
    assert one[0].id == other[1].id and one[1].id == other[0].id
    assert one[2].id == f"{one[0].id}-2"


def test_every_mistake_is_named_with_its_file_and_line(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "cases: [a.jsonl, {variabels: {q: 1}}, 3, gone.csv, ../x.jsonl]\n"
        "scorer: []\n"
        "scorers: [{type: 3}, {typ: a}]\n"
        "gate: {margin: 2x}\n"
        "budget: 2\n"
        "repeats: 0\n",
        a__jsonl='{"variables": {"q": "a"}\n{"variables": []}\n',
    )
    assert refused(path) == [
        "answers.yaml:2: scorer: unknown key; did you mean `scorers`?",
        "answers.yaml:3: scorers[0].type: expected `str`, got `int`",
        "answers.yaml:3: scorers[1].typ: unknown key; did you mean `type`?",
        "answers.yaml:4: gate.margin: expected `float`, got `str`",
        "a.jsonl:1: is not JSON: Input data was truncated",
        "a.jsonl:2: variables: expected `object`, got `array`",
        "answers.yaml:1: cases[1].variabels: unknown key; did you mean `variables`?",
        "answers.yaml:1: cases[2]: must be a mapping with `variables` or `messages`",
        "answers.yaml:1: cases[3]: `gone.csv` cannot be read: No such file or directory",
        "answers.yaml:1: cases[4]: `../x.jsonl` leads out of the folder of the suite, and nothing outside it is read",
        "answers.yaml:6: repeats: must be a whole number from 1 to 100",
        "answers.yaml:5: budget: must be an amount with its currency, such as `2 USD`",
    ]


@pytest.mark.parametrize(
    ("suite", "said"),
    [
        ("", "must be a list of cases"),
        ("cases: []\n", "there is none"),
        ("cases: [{id: a}, {id: a}]\n", "`a` is the id of two cases"),
        ("cases: [{id: a}]\nscorers: [contains, contains]\n", "`contains` is the name of another scorer before it"),
        ("cases: [{id: a}]\ngate: {alpha: 90%}\n", "must be between"),
        ("cases: a.txt\n", "ends with `.txt`"),
        ("- 1\n", "must be a mapping"),
        ("cases: [{id: a}\n", "not YAML"),
    ],
)
def test_what_is_no_suite_is_refused_in_words(tmp_path: Path, suite: str, said: str) -> None:
    assert said in "\n".join(refused(written(tmp_path, suite)))


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret.jsonl").write_text('{"id": "a"}\n')
    path = written(tmp_path, "cases: here.jsonl\n")
    (path.parent / "here.jsonl").symlink_to(tmp_path / "secret.jsonl")
    assert "leads out of the folder" in "\n".join(refused(path))


def test_equal_suites_have_the_same_id_however_they_are_written(tmp_path: Path) -> None:
    one = read_suite(
        written(tmp_path, "cases: [{id: a, variables: {x: 1, y: 2}}]\nscorers: [{type: regex, not: true}]\n")
    )
    other = read_suite(
        written(
            tmp_path,
            'scorers: [{not: true, type: "regex"}]\ncases: c.json\n',
            c__json='[{"variables": {"y": 2, "x": 1}, "id": "a"}]',
        )
    )
    assert suite_id(one) == suite_id(other)
    assert one.scorers[0].negated


def test_a_file_in_which_everything_is_wrong_is_told_of_at_some_length(tmp_path: Path) -> None:
    found = refused(written(tmp_path, "cases: a.jsonl\n", a__jsonl="no\n" * 100_000))
    assert len(found) == 50


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("cases: [{id: a, weight: -1}, {id: b}]", "weight must be between 0"),
        ("cases: [{id: a, weight: .nan}, {id: b}]", "weight must be between 0"),
        ("cases: [{id: a, weight: 1.0e+308}, {id: b, weight: 1.0e+308}]", "weight must be between 0"),
        ("cases: [{id: a, weight: 0}]", "nothing would be counted"),
        ("scorers: [{type: contains, weight: -1}]", "scorer `contains` must be between 0"),
        ("scorers: [{type: contains, threshold: .nan}]", "threshold of the scorer `contains` must be a number"),
        ("gate: {min_pass: 80}", "`min_pass` must be between 0 and 1"),
        ("gate: {latency: -1}", "`latency` must be between 0 and 100"),
        ("gate: {margin: .nan}", "`margin` must be between 0 and 1"),
    ],
)
def test_what_would_let_cases_disappear_from_the_count_is_refused(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "suite.yaml"
    path.write_text(line if line.startswith("cases") else f"cases: [{{id: a}}]\n{line}\n")
    with pytest.raises(SuiteRefused, match=said):
        read_suite(path)
