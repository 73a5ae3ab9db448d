"""The output files are promptfoo's: the same keys, the same figures, and nothing lost or held in memory."""

import csv
import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.unit.promptfoo.configuring import laid_out, written

from watchkeeper.evals.promptfoo import envelopes
from watchkeeper.evals.promptfoo.errors import ConfigRefused
from watchkeeper.evals.promptfoo.exits import exit_code
from watchkeeper.evals.promptfoo.results import Results

CONFIG = """
    description: what is <written>
    prompts: ['{{a}}', 'longer {{a}}']
    providers: [echo]
    derivedMetrics: [{name: double, value: 'm * 2 + max(m, 1)'}]
    tests:
      - {vars: {a: ['x', '<b>&"y"']}, assert: [{type: contains, value: longer, metric: m}, {type: icontains, value: x}]}
      - {vars: {a: {deep: [1]}}, assert: [{type: nothing}]}
"""
NAMES = ("out.json", "out.jsonl", "out.csv", "out.html", "out.yaml", "out.junit.xml", "out.xml")


@pytest.fixture
async def files(tmp_path: Path) -> dict[str, str]:
    config = laid_out(tmp_path, CONFIG)
    await written(config, [tmp_path / "deep/down" / name for name in NAMES], tmp_path)
    assert not list((tmp_path / "deep/down").glob(".*"))
    return {name: (tmp_path / "deep/down" / name).read_text("utf-8") for name in NAMES}


async def test_the_document_has_promptfoos_keys_and_adds_up(files: dict[str, str]) -> None:
    whole = json.loads(files["out.json"])
    assert list(whole) == ["evalId", "results", "config", "shareableUrl", "metadata"]
    results = whole["results"]
    assert list(results) == ["version", "timestamp", "prompts", "results", "stats"]
    assert (results["version"], results["timestamp"]) == (3, "1970-01-01T00:00:00.000Z")
    assert {key: results["stats"][key] for key in ("successes", "failures", "errors")} == {
        "successes": 1,
        "failures": 3,
        "errors": 2,
    }
    order = [(one["testIdx"], one["promptIdx"]) for one in results["results"]]
    assert order == sorted(order) and len(order) == 6
    metrics = results["prompts"][1]["metrics"]
    assert metrics["namedScores"] == {"m": 2, "double": 6}
    assert metrics["testPassCount"] + metrics["testFailCount"] + metrics["testErrorCount"] == 3
    assert yaml.safe_load(files["out.yaml"]) == whole
    assert [json.loads(line) for line in files["out.jsonl"].splitlines()] == results["results"]


async def test_the_table_has_a_row_for_each_test(files: dict[str, str]) -> None:
    rows = list(csv.reader(files["out.csv"].splitlines(keepends=True)))
    assert rows[0] == ["a", "[echo] {{a}}", "[echo] longer {{a}}"]
    assert [row[0] for row in rows[1:]] == ["x", '<b>&"y"', '{"deep":[1]}']
    assert rows[1][2].startswith("[PASS] (1.00, m: 1.00)\n\nlonger x\n\nPass Reason: ")
    assert rows[3][1].startswith("[ERROR] (0.00)")


async def test_a_page_and_xml_hold_hostile_text_as_text(files: dict[str, str]) -> None:
    assert "<b>" not in files["out.html"] and "&lt;b&gt;" in files["out.html"]
    assert ElementTree.fromstring(files["out.xml"]).find("results/stats/successes") is not None


async def test_junit_counts_failures_and_errors_by_column(files: dict[str, str]) -> None:
    root = ElementTree.fromstring(files["out.junit.xml"])
    assert root.attrib | {"time": ""} == {
        "errors": "2",
        "failures": "3",
        "name": "promptfoo",
        "skipped": "0",
        "tests": "6",
        "time": "",
    }
    assert [suite.get("name") for suite in root] == ["[echo] prompt 1", "[echo] prompt 2"]
    assert [len(suite.findall("testcase")) for suite in root] == [3, 3]
    assert len(root.findall("./testsuite/testcase/failure")) == 3
    assert "longer" not in files["out.junit.xml"]


@pytest.mark.parametrize(
    ("switch", "gone"),
    [
        ("PROMPTFOO_STRIP_PROMPT_TEXT", "prompt"),
        ("PROMPTFOO_STRIP_RESPONSE_OUTPUT", "response"),
        ("PROMPTFOO_STRIP_TEST_VARS", "vars"),
        ("PROMPTFOO_STRIP_GRADING_RESULT", "gradingResult"),
    ],
)
async def test_what_should_not_be_written_is_not(switch: str, gone: str, tmp_path: Path) -> None:
    secret = "hidden7"
    config = laid_out(tmp_path, f"prompts: ['{{{{a}}}}']\nproviders: [echo]\ntests: [{{vars: {{a: {secret}}}}}]\n")
    out = tmp_path / "out.jsonl"
    await written(config, [out], tmp_path, {switch: "true"})
    record: dict[str, Any] = json.loads(out.read_text("utf-8"))
    kept = record.pop("testCase") if gone == "vars" else record
    assert secret not in json.dumps(kept.get(gone))


async def test_keys_that_are_written_out_do_not_reach_a_file(tmp_path: Path) -> None:
    config = laid_out(
        tmp_path,
        """
        prompts: [hi]
        providers: [{id: echo, config: {apiKey: sk-hidden7, max_tokens: 5, headers: {Authorization: '{{env.KEY}}'}}}]
        tests: [{vars: {a: 1}}]
        """,
    )
    out = tmp_path / "out.json"
    await written(config, [out], tmp_path)
    text = out.read_text("utf-8")
    assert "hidden7" not in text and "{{env.KEY}}" in text and '"max_tokens":5' in text


@pytest.mark.parametrize("name", ["out.pdf", "out", "https://docs.google.com/spreadsheets/x"])
def test_a_file_of_no_known_kind_is_refused_before_anything_is_asked(name: str) -> None:
    with pytest.raises(ConfigRefused, match="nothing was asked"):
        envelopes.check(Path(name))


def test_results_cut_off_in_a_crash_are_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    with Results(path) as results:
        for index in (2, 0, 1):
            results.add({"testIdx": index, "promptIdx": 0, "score": index})
    path.write_bytes(path.read_bytes()[:-5])
    with Results(path) as results:
        assert [record["testIdx"] for record in results] == [0, 2]
        results.add({"testIdx": 1, "promptIdx": 0, "score": 5})
        results.add({"testIdx": 0, "promptIdx": 0, "score": 7})
        assert [record["score"] for record in results] == [7, 5, 2]


@pytest.mark.parametrize(
    ("passed", "failed", "errors", "env", "code"),
    [
        (3, 0, 0, {}, 0),
        (3, 1, 0, {}, 100),
        (3, 0, 1, {}, 100),
        (0, 0, 0, {}, 0),
        (3, 1, 0, {"PROMPTFOO_PASS_RATE_THRESHOLD": "75"}, 0),
        (3, 1, 0, {"PROMPTFOO_PASS_RATE_THRESHOLD": "75.1"}, 100),
        (3, 1, 0, {"PROMPTFOO_FAILED_TEST_EXIT_CODE": "7"}, 7),
        (3, 1, 0, {"PROMPTFOO_PASS_RATE_THRESHOLD": "x", "PROMPTFOO_FAILED_TEST_EXIT_CODE": "x"}, 100),
    ],
)
def test_the_exit_code_follows_the_pass_rate(
    passed: int, failed: int, errors: int, env: dict[str, str], code: int
) -> None:
    assert exit_code({"successes": passed, "failures": failed, "errors": errors}, env) == code
