"""A run as JUnit XML, which continuous integration reads: a test case for each case and arm."""

import re
from collections import Counter
from collections.abc import Iterator
from xml.sax.saxutils import escape, quoteattr

from watchkeeper.core.money import usd
from watchkeeper.evals.outcome import Outcome
from watchkeeper.evals.reports import wording
from watchkeeper.evals.reports.report import ArmFigures, Report, Standing, Tally

TEXT_MAX = 10_000
"""Characters of an answer or a reason."""

_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(report: Report) -> Iterator[bytes]:
    """Yield the document; each arm is a test suite.

    A case that failed in any repeat is a `failure`; one of which nobody knows is an `error`, because a test that was
    skipped looks well. What the baseline fails is `skipped`: it is live already, and not what is being tried; the
    property `standing` says how it stands.
    """
    counts = [_counts(report, arm.head.name) for arm in report.arms]
    total = sum(counts, Counter[str]())
    head = report.head
    seconds = "" if report.duration_ms is None else f' time="{report.duration_ms / 1_000:.3f}"'
    yield (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name={_quoted(head.title)} tests="{total["tests"]}" '
        f'failures="{total["failure"]}" errors="{total["error"]}" skipped="{total["skipped"]}"{seconds}>\n'
    ).encode()
    for arm, count in zip(report.arms, counts, strict=True):
        yield from _suite(report, arm, count)
    yield b"</testsuites>\n"


def _counts(report: Report, arm: str) -> Counter[str]:
    tallies = report.tallies.get(arm, {})
    counts = Counter(element for tally in tallies.values() if (element := _element(report, arm, tally.standing)))
    counts["tests"] = len(tallies)
    return counts


def _element(report: Report, arm: str, standing: Standing) -> str:
    if standing == "passed":
        return ""
    if arm == report.head.baseline:
        return "skipped"
    return "error" if standing == "unmeasured" else "failure"


def _suite(report: Report, arm: ArmFigures, count: Counter[str]) -> Iterator[bytes]:
    name, head = arm.head.name, report.head
    yield (
        f'<testsuite name={_quoted(f"{head.title} {name}")} tests="{count["tests"]}" failures="{count["failure"]}" '
        f'errors="{count["error"]}" skipped="{count["skipped"]}" timestamp="{wording.iso(head.started_ms)[:19]}">\n'
        f"<properties>\n"
    ).encode()
    for key, value in _properties(report, arm):
        yield f"<property name={_quoted(key)} value={_quoted(value)}/>\n".encode()
    yield b"</properties>\n"
    for outcome, tally in _telling(report, name):
        yield _test_case(report, outcome, tally).encode()
    yield b"</testsuite>\n"


def _properties(report: Report, arm: ArmFigures) -> Iterator[tuple[str, str]]:
    head, decision = report.head, report.decision
    yield "run", head.id
    yield "suite_id", head.suite_id
    yield "arm", arm.head.name
    yield "release", arm.head.release
    yield "model", arm.head.model or ", ".join(arm.models)
    yield "repeats", str(head.repeats)
    yield "cost_usd", "" if arm.cost_nusd is None else usd(arm.cost_nusd)
    yield "cost_status", arm.cost_status
    yield "judge_cost_usd", "" if head.judge_cost_nusd is None else usd(head.judge_cost_nusd)
    yield "commit", head.commit
    if decision is not None:
        yield "result", decision.result
        yield "verdict", wording.verdict(report)


def _telling(report: Report, arm: str) -> Iterator[tuple[Outcome, Tally]]:
    """Each case of an arm once, with the first of its repeats that is as the worst of them are."""
    told: set[str] = set()
    for outcome in report.outcomes():
        if outcome.arm != arm or outcome.case in told:
            continue
        tally = report.tallies[arm][outcome.case]
        if outcome.status == ("failed" if tally.failed else "unmeasured" if tally.unmeasured else "passed"):
            told.add(outcome.case)
            yield outcome, tally


def _test_case(report: Report, outcome: Outcome, tally: Tally) -> str:
    standing, latency_ms = tally.standing, outcome.answer.latency_ms
    element = _element(report, outcome.arm, standing)
    seconds = "" if latency_ms is None else f' time="{latency_ms / 1_000:.3f}"'
    opening = (
        f"<testcase classname={_quoted(f'{report.head.title}.{outcome.arm}')} name={_quoted(outcome.case)}{seconds}>"
    )
    properties = f'\n<properties><property name="standing" value="{standing}"/></properties>\n'
    if not element:
        return f"{opening}{properties}</testcase>\n"
    of = f" ({tally.failed} of {tally.repeats} repeats failed)" if standing == "flaky" else ""
    message = _quoted(f"{standing}: {outcome.reason or 'no reason was given'}{of}"[:TEXT_MAX])
    if element == "skipped":
        return f"{opening}{properties}<skipped message={message}/>\n</testcase>\n"
    told = f'<{element} type="{standing}" message={message}>\n{_text(_body(outcome))}\n</{element}>'
    return f"{opening}{properties}{told}\n</testcase>\n"


def _body(outcome: Outcome) -> str:
    marks = [
        f"{mark.scorer}: {mark.status}{'' if mark.score is None else f' ({mark.score:.3g})'}"
        f"{f': {mark.reason}' if mark.reason else ''}"[:TEXT_MAX]
        for mark in outcome.marks
        if mark.status != "passed"
    ]
    answer = wording.answer_text(outcome.answer)
    call = f"call {outcome.answer.call}" if outcome.answer.call else ""
    return "\n".join(part for part in (*marks, call, f"answer: {answer[:TEXT_MAX]}" if answer else "") if part)


def _text(text: str) -> str:
    return escape(_NO_XML.sub("\ufffd", text))


def _quoted(text: str) -> str:
    return quoteattr(_NO_XML.sub("\ufffd", text))
