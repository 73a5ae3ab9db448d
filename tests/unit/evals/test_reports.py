"""A run's report: what it counts, what comes first, and that no answer breaks any of its formats."""

import csv
import dataclasses
import io
import os
import re
import tracemalloc
from collections.abc import Iterable
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot
from msgspec import structs
from tests.unit.evals.reported import DECISION, HEAD, HOSTILE, everything, hostile, many, outcome, report

from watchkeeper.evals.outcome import Answer, Outcome
from watchkeeper.evals.reports.csv_file import COLUMNS, csv_table
from watchkeeper.evals.reports.html_page import page
from watchkeeper.evals.reports.json_files import json_document, json_lines
from watchkeeper.evals.reports.junit_xml import junit
from watchkeeper.evals.reports.markdown_text import markdown
from watchkeeper.evals.reports.report import Counts, Report
from watchkeeper.evals.reports.writing import FORMATS, ReportRefused, format_of, write
from watchkeeper.evals.suite import Case

GITHUB_LETTERS_MAX = 65_536
OUTCOMES = 50_000 if os.environ.get("WK_SOAK") else 20_000
BYTES_MAX = 450
"""Of memory for one outcome of one case; the line of one is 900 bytes long."""


def test_what_failed_comes_first_and_among_it_what_no_case_may_fail() -> None:
    assert [(row.case, row.standing) for row in report().rows] == [
        ("new failure", "failed"),
        ("old failure", "failed"),
        ("nobody knows", "unmeasured"),
        ("now and then", "flaky"),
        ("well", "passed"),
    ]


def test_a_failure_is_new_where_the_baseline_passed() -> None:
    assert {row.case for row in report().rows if row.is_new} == {"new failure", "nobody knows"}


def test_cases_are_counted_once_however_often_they_were_asked() -> None:
    built = report()
    assert built.counts == Counts(failed=2, unmeasured=1, flaky=1, passed=1)
    assert [arm.outcomes for arm in built.arms] == [6, 4]


def test_an_arm_with_an_answer_that_has_no_price_has_no_cost_but_a_sum_of_the_others() -> None:
    candidate, baseline = report().arms
    assert (candidate.cost_nusd, candidate.cost_status) == (None, "unpriced")
    assert (candidate.priced_nusd, candidate.unpriced) == (5 * 1_500, 1)
    assert (baseline.cost_nusd, baseline.cost_status) == (4 * 1_500, "measured")


def test_answers_of_an_earlier_run_cost_nothing_in_this_one_and_say_so() -> None:
    earlier = Answer(text="4", call="call_1", cost_nusd=5, cost_status="measured", latency_ms=3.0, reused=True)
    built = report([Outcome(arm="candidate", case="a", status="passed", answer=earlier)])
    arm = built.arms[0]
    assert (arm.reused, arm.cost_nusd, arm.latency_p50_ms) == (1, 0, None)


def test_a_case_of_which_a_repeat_is_unmeasured_has_not_passed() -> None:
    built = report([outcome("a", "passed"), outcome("a", "unmeasured", repeat=1)])
    assert built.rows[0].standing == "unmeasured"


def test_cases_beyond_the_limit_are_counted_and_the_page_says_so() -> None:
    built = report(rows_max=2)
    assert (len(built.rows), built.left_out) == (2, Counts(unmeasured=1, flaky=1, passed=1))
    assert "Not shown: 1 unmeasured, 1 flaky, 1 passed of 3 cases" in _text_of(page(built))


def test_a_long_answer_is_cut_on_the_page_and_whole_in_the_data() -> None:
    long = "x" * 50_000
    built = report([outcome("a", "failed", text=long)])
    assert "40,000 further characters are left out" in _text_of(page(built))
    assert long.encode() in b"".join(json_lines(built))


def test_outcomes_of_an_arm_that_the_run_does_not_name_are_a_column_of_their_own() -> None:
    built = report([outcome("a", "passed"), outcome("a", "failed", arm="another prompt")])
    assert [arm.head.name for arm in built.arms] == ["candidate", "baseline", "another prompt"]


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_run_that_is_under_way_has_a_report_in_every_format(suffix: str, tmp_path: Path) -> None:
    head = structs.replace(HEAD, status="running", ended_ms=None, cost_nusd=None, judge_cost_nusd=None)
    write(report([outcome("a", "passed")], head=head, decision=None), tmp_path / f"r{suffix}")
    assert (tmp_path / f"r{suffix}").stat().st_size > 100
    assert [path.name for path in tmp_path.iterdir()] == [f"r{suffix}"]


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_run_without_outcomes_has_a_report_in_every_format(suffix: str, tmp_path: Path) -> None:
    write(report(list, decision=None), tmp_path / f"r{suffix}")
    assert (tmp_path / f"r{suffix}").stat().st_size > 100


@pytest.mark.parametrize("name", ["report.pdf", "report", "report.yaml"])
def test_an_unknown_format_is_refused_by_name_before_anything_is_written(name: str, tmp_path: Path) -> None:
    with pytest.raises(ReportRefused, match=r"\.html, \.json, \.jsonl, \.csv, \.md, \.xml"):
        write(report(), tmp_path / name)
    assert list(tmp_path.iterdir()) == []
    assert format_of(Path("out.junit.xml")) == ".xml"


def test_a_report_that_fails_half_way_leaves_what_was_there(tmp_path: Path) -> None:
    there, reads = tmp_path / "r.jsonl", iter((everything(), everything()))
    there.write_text("before")
    built = report(lambda: next(reads))
    with pytest.raises(RuntimeError):
        write(built, there)
    assert there.read_text() == "before"
    assert list(tmp_path.iterdir()) == [there]


def test_the_summary_for_a_pull_request_begins_with_the_verdict() -> None:
    lines = markdown(report()).splitlines()
    assert lines[:10] == snapshot(
        [
            "### ⚠️ Cannot tell: 5 cases cannot show a drop of 5 points.",
            "",
            "<code>support/answers</code>: 2 failed, 1 unmeasured, 1 flaky, 1 passed of 5 cases.",
            "",
            "- One case was not measured.",
            "",
            "| metric | candidate | baseline | difference (points) | bounds | margin | verdict |",
            "|---|---:|---:|---:|---:|---:|---|",
            "| passed | 60.0 % | 80.0 % | −20.0 | −40.0 to +2.0 | 5 | cannot tell, 5 cases |",
            "",
        ]
    )


def test_what_to_do_follows_from_the_result() -> None:
    said = {
        result: markdown(report(decision=structs.replace(DECISION, result=result))).partition("**What to do:** ")[2]
        for result in ("pass", "regression", "inconclusive", "unmeasured")
    }
    assert said["pass"].startswith("Nothing")
    assert "passed under the baseline" in said["regression"]
    assert "about 200 cases would tell" in said["inconclusive"]
    assert "the provider did not answer" in said["unmeasured"]


def test_junit_counts_what_it_holds_and_the_baseline_breaks_no_build() -> None:
    root = ElementTree.fromstring(b"".join(junit(report())))
    for suite in root:
        for element, attribute in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
            assert len(suite.findall(f"testcase/{element}")) == int(suite.attrib[attribute])
        assert len(suite.findall("testcase")) == int(suite.attrib["tests"])
    assert [suite.attrib["failures"] for suite in root] == ["3", "0"]
    assert [suite.attrib["errors"] for suite in root] == ["1", "0"]
    assert [suite.attrib["skipped"] for suite in root] == ["0", "2"]


def test_a_test_case_of_junit() -> None:
    text = b"".join(junit(report([outcome("a", "failed"), outcome("a", "passed", repeat=1)]))).decode()
    assert text[text.index("<testcase") : text.index("</testcase>")].splitlines() == snapshot(
        [
            '<testcase classname="support/answers.candidate" name="a" time="0.120">',
            '<properties><property name="standing" value="flaky"/></properties>',
            '<failure type="flaky" message="flaky: `4` is expected (1 of 2 repeats failed)">',
            "contains: failed (0): `4` is expected",
            "call call_1",
            "answer: It is 2.",
            "</failure>",
        ]
    )


def test_repeats_may_come_in_any_order() -> None:
    outcomes = [outcome(f"case {number}", "passed") for number in range(3)]
    outcomes += [outcome(f"case {number}", "failed" if number == 1 else "passed", repeat=1) for number in range(3)]
    for order in (outcomes, outcomes[::-1]):
        root = ElementTree.fromstring(b"".join(junit(report(order))))
        found = [(test.attrib["name"], len(test.findall("failure"))) for test in root.iter("testcase")]
        assert sorted(found) == [("case 0", 0), ("case 1", 1), ("case 2", 0)]


def test_a_line_of_json() -> None:
    lines = b"".join(json_lines(report([outcome("a", "failed")]))).splitlines()
    assert msgspec.json.decode(lines[1]) == snapshot(
        {
            "kind": "outcome",
            "run": "run-1",
            "case": "a",
            "arm": "candidate",
            "repeat": 0,
            "status": "failed",
            "score": 0.0,
            "reason": "`4` is expected",
            "answer": {
                "text": "It is 2.",
                "tool_calls": [],
                "refusal": "",
                "finish": "",
                "error": "",
                "error_code": "",
                "call": "call_1",
                "release": "",
                "model": "small",
                "fingerprint": "",
                "latency_ms": 120.0,
                "cost_status": "measured",
                "input_tokens": 3,
                "output_tokens": 4,
                "logprobs": [],
                "ask": "",
                "reused": False,
                "cost_usd": "0.0000015",
            },
            "marks": [
                {
                    "scorer": "contains",
                    "status": "failed",
                    "score": 0.0,
                    "reason": "`4` is expected",
                    "weight": 1.0,
                    "judge": "",
                    "calls": [],
                    "detail": {},
                    "cost_usd": None,
                }
            ],
            "at": "2023-11-14T22:13:21.000Z",
            "variables": {"question": "What is 2 + 2?"},
            "messages": [],
            "reference": "4",
            "tags": ["sums"],
            "cluster": "",
            "weight": 1.0,
        }
    )


def test_keys_are_there_whether_or_not_their_values_are_known() -> None:
    _, *rows = [msgspec.json.decode(line) for line in b"".join(json_lines(report())).splitlines()]
    assert len({tuple(row) for row in rows}) == 1
    assert len({tuple(row["answer"]) for row in rows}) == 1


def test_the_document_holds_every_case_and_every_outcome() -> None:
    document = msgspec.json.decode(b"".join(json_document(report())))
    assert len(document["outcomes"]) == 10
    assert {case["id"] for case in document["suite_cases"]} == {row.case for row in report().rows}
    assert (document["result"], document["exit_code"]) == ("inconclusive", 4)
    assert document["arms"][1]["cost_usd"] == "0.000006"
    assert document["arms"][0]["cost_usd"] is None


def test_the_table_has_a_column_for_each_scorer() -> None:
    rows = _table(report())
    assert list(rows[0]) == [*COLUMNS, "score: contains"]
    assert [row["score: contains"] for row in rows[:4]] == ["1.0", "0.0", "0.0", ""]
    assert rows[0]["cost_usd"] == "0.0000015"


def test_no_answer_breaks_out_of_xml() -> None:
    root = ElementTree.fromstring(b"".join(junit(report(hostile()))))
    assert {element.tag for element in root.iter()} == {
        "testsuites",
        "testsuite",
        "properties",
        "property",
        "testcase",
        "failure",
        "error",
        "skipped",
    }
    assert len(root.findall("testsuite/testcase")) == 2 * len(HOSTILE)


def test_no_answer_breaks_json() -> None:
    document = msgspec.json.decode(b"".join(json_document(report(hostile()))))
    texts = [row["answer"]["text"] for row in document["outcomes"][::2]]
    assert texts == [re.sub("[\ud800-\udfff]", "\ufffd", text) for text in HOSTILE]
    lines = b"".join(json_lines(report(hostile()))).splitlines()
    assert len([msgspec.json.decode(line) for line in lines]) == 1 + 2 * len(HOSTILE)


def test_no_answer_becomes_a_formula() -> None:
    rows = _table(report(hostile()))
    assert len(rows) == 2 * len(HOSTILE)
    cells = [cell for row in rows for cell in (*row, *row.values())]
    assert [cell for cell in cells if re.match(r"\s*[=+\-@]|[\t\r\n]", cell)] == []


def test_no_answer_breaks_out_of_the_page() -> None:
    reader = _Reader()
    text = _text_of(page(report(hostile())))
    reader.feed(text)
    assert reader.unbalanced == []
    assert reader.tags.isdisjoint({"script", "img", "iframe", "link", "object", "form", "a"})
    assert reader.attributes <= {"class", "content", "charset", "name", "http-equiv", "lang", "open"}
    assert "<script>alert(1)</script>" in reader.text


def test_the_page_asks_nobody_for_anything() -> None:
    text = _text_of(page(report()))
    assert re.findall(r"\b(?:src|href)=|url\(|@import", text) == []
    assert "default-src 'none'" in text


def test_no_answer_breaks_out_of_a_comment_or_calls_anybody() -> None:
    text = markdown(report(hostile(), decision=structs.replace(DECISION, reasons=HOSTILE)))
    outside = _outside_of_fences(text)
    spoken = re.sub(r"<code>.*?</code>", "", outside)
    assert len(re.findall("<details>", outside)) == len(re.findall("</details>", outside)) > 3
    assert re.findall(r"@(?!&#8203;)\w", spoken) == []
    assert re.findall(r"(?<!&)#(?!&#8203;)\d", spoken) == []
    assert re.findall(r"(?<!\\)!\[|://\w|www\.\w|<(?:img|script|b)\b", spoken) == []
    for cell in re.findall(r"<code>(.*?)</code>", outside):
        assert re.fullmatch(r"(?:[\w\s,;?/%]|&#\d+;)*", cell) and "_" not in cell
    for line in outside.splitlines():
        if line.startswith("| "):
            assert len(re.findall(r"(?<!\\)\|", line)) in (6, 8)


@pytest.mark.parametrize("text", ["@" * 5_000, "`" * 5_000, "ä|_" * 3_000, "\U0001f600" * 5_000])
def test_a_comment_always_fits(text: str) -> None:
    outcomes = [outcome(f"{number} {text}", "failed", text=text) for number in range(100)]
    decision = structs.replace(DECISION, reasons=(text,) * 20, comparisons=DECISION.comparisons * 50)
    said = markdown(report(outcomes, decision=decision))
    assert len(said.encode()) < 60_000 < GITHUB_LETTERS_MAX
    assert "more did not pass" in said


@settings(max_examples=30, deadline=None)
@given(st.text(max_size=60), st.text(st.sampled_from("`|<>@#&;\n\r\\*_[]!:/~x "), max_size=60))
def test_whatever_is_answered_every_format_can_be_read(name: str, text: str) -> None:
    built = report([outcome(name, "failed", text=text)])
    ElementTree.fromstring(b"".join(junit(built)))
    assert msgspec.json.decode(b"".join(json_document(built)))["outcomes"][0]["answer"]["text"] == text
    assert len(_table(built)) == 1
    reader = _Reader()
    reader.feed(_text_of(page(built)))
    assert reader.unbalanced == []
    outside = _outside_of_fences(markdown(built))
    assert outside.count("<details>") == outside.count("</details>")


def test_outcomes_by_the_thousand_are_written_without_being_held() -> None:
    lines = [msgspec.json.encode(one) for one in many(OUTCOMES)]
    read = msgspec.json.Decoder(Outcome).decode
    tracemalloc.start()
    try:
        built = report(lambda: map(read, lines), decision=None)
        sizes = [sum(map(len, writer(built))) for writer in (json_lines, junit)]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert min(sizes) > 150 * OUTCOMES
    assert peak < BYTES_MAX * OUTCOMES


def test_a_case_that_the_suite_no_longer_has_is_reported_without_its_question(tmp_path: Path) -> None:
    for suffix in FORMATS:
        write(report(lambda: [outcome("gone", "failed")]), tmp_path / f"r{suffix}")


def test_a_conversation_with_parts_that_are_no_text_is_shown() -> None:
    built = report([outcome("a", "failed")])
    case = Case(id="a", messages=({"role": "user", "content": [{"type": "text", "text": "Hello"}]}, {"content": None}))
    assert "Hello" in _text_of(page(dataclasses.replace(built, cases={"a": case})))


def _table(built: Report) -> list[dict[str, str]]:
    text = b"".join(csv_table(built)).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def _text_of(pieces: Iterable[bytes]) -> str:
    return b"".join(pieces).decode()


def _outside_of_fences(text: str) -> str:
    """What GitHub reads as markup: by the rule of CommonMark for fences."""
    kept, fence = [], ""
    for line in text.split("\n"):
        found = re.match(r"(`{3,})(\w*)$", line)
        if fence:
            fence = "" if found and len(found[1]) >= len(fence) and not found[2] else fence
        elif found:
            fence = found[1]
        else:
            kept.append(line)
    assert not fence
    return "\n".join(kept)


class _Reader(HTMLParser):
    """Notes what a browser would see; elements that need no end are not noted as open."""

    OPTIONAL = frozenset({"meta", "li", "td", "th", "dt", "dd", "tr", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.unbalanced: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in self.OPTIONAL:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self.OPTIONAL:
            return
        if not self.open or self.open.pop() != tag:
            self.unbalanced.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data
