"""JUnit XML as promptfoo lays it out: a suite for each column; texts of prompts and outputs are not in it."""

import re
from collections.abc import Iterator
from typing import TextIO
from xml.sax.saxutils import escape, quoteattr

from watchkeeper.evals.promptfoo.envelopes.head import Head
from watchkeeper.evals.promptfoo.records import ASSERT, Record
from watchkeeper.evals.promptfoo.results import Results

NAME_LETTERS_MAX = 512
DETAIL_LETTERS_MAX = 8192
FAILURE = "Assertion failed"
ERROR = "Evaluation error"

_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def write(file: TextIO, head: Head, results: Results) -> None:
    """Write one suite after the other; the results are gone through once for each column."""
    figures = [prompt["metrics"] for prompt in head.prompts]
    tests = [one["testPassCount"] + one["testFailCount"] + one["testErrorCount"] for one in figures]
    file.write('<?xml version="1.0" encoding="UTF-8"?>\n<testsuites')
    failures = sum(one["testFailCount"] for one in figures)
    errors = sum(one["testErrorCount"] for one in figures)
    file.write(f' errors="{errors}" failures="{failures}" name="promptfoo" skipped="0" tests="{sum(tests)}"')
    file.write(f' time="{_seconds(sum(one["totalLatencyMs"] for one in figures))}">\n')
    for index, (name, metrics) in enumerate(zip(_names(head), figures, strict=True)):
        if tests[index]:
            file.write(f'  <testsuite errors="{metrics["testErrorCount"]}" failures="{metrics["testFailCount"]}"')
            file.write(f' name={_quoted(name)} skipped="0" tests="{tests[index]}"')
            file.write(f' time="{_seconds(metrics["totalLatencyMs"])}" timestamp={_quoted(head.created)}>\n')
            for record in results:
                if record["promptIdx"] == index:
                    file.writelines(_case(record, name))
            file.write("  </testsuite>\n")
    file.write("</testsuites>\n")


def _names(head: Head) -> list[str]:
    """A column is known by its provider and the number of its prompt among that provider's."""
    counts: dict[str, int] = {}
    names = []
    for prompt in head.prompts:
        provider = _inline(prompt["provider"])
        counts[provider] = counts.get(provider, 0) + 1
        names.append(f"[{provider}] prompt {counts[provider]}")
    return names


def _case(record: Record, suite: str) -> Iterator[str]:
    described = _inline(str(record["testCase"].get("description") or ""))
    name = f"test {record['testIdx'] + 1}" + (f": {described}" if described else "")
    begin = f'    <testcase classname={_quoted(suite)} name={_quoted(name)} time="{_seconds(record["latencyMs"])}"'
    if record["success"]:
        yield f"{begin}/>\n"
        return
    yield f"{begin}>\n"
    if record["failureReason"] == ASSERT:
        components = (record.get("gradingResult") or {}).get("componentResults") or []
        labels = [(each.get("assertion") or {}).get("type", "assertion") for each in components if not each.get("pass")]
        lines = [f"Score: {record['score']}", f"Reason: {FAILURE}"]
        lines += ["Failed assertions:", *(f"- {label}" for label in labels)] if labels else []
        yield f'      <failure message="{FAILURE}" type="assertion">{_text(chr(10).join(lines))}</failure>\n'
    else:
        yield f'      <error message="{ERROR}" type="error">Reason: {ERROR}</error>\n'
    yield "    </testcase>\n"


def _inline(text: str) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= NAME_LETTERS_MAX else f"{plain[: NAME_LETTERS_MAX - 3]}..."


def _quoted(text: str) -> str:
    return quoteattr(_NOT_XML.sub("", text))


def _text(text: str) -> str:
    return escape(_NOT_XML.sub("", text)[:DETAIL_LETTERS_MAX])


def _seconds(milliseconds: float) -> str:
    return f"{max(milliseconds, 0) / 1000:.3f}".rstrip("0").rstrip(".")
