"""A run as a comment on a pull request: the verdict first, then figures, the worst cases, and what to do.

What models and users wrote stands in fences or in `<code>`, where nothing is a link, a picture, a mention or markup.
"""

import re
from collections.abc import Iterator
from html import escape

from watchkeeper.evals.decision import Comparison
from watchkeeper.evals.reports import wording
from watchkeeper.evals.reports.records import encoded
from watchkeeper.evals.reports.report import ArmRow, Report, Row
from watchkeeper.evals.suite import Case

BYTES_MAX = 58_000
"""GitHub takes 65,536 characters."""
CASES_MAX = 20
TEXT_MAX = 1_500
"""Characters of one answer, question or reference."""
CELL_MAX = 200
NAME_MAX = 60
"""Characters of a name in a list or a table."""
REASONS_MAX = 5
METRICS_MAX = 20
BREACHES_MAX = 10
MARKS_MAX = 5

_SIGNS = {"pass": "✅", "regression": "❌", "inconclusive": "⚠️", "unmeasured": "⚠️"}
_MARKUP = re.compile(r"([\\`*_\[\]#!|~$])")
_CALLING = re.compile(r"(@|\\#|:(?=//)|\bwww(?=\.)|\bGH(?=-))", re.IGNORECASE)
_NO_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u200b\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_APART = "&#8203;"
"""A space without width: behind it, `@name` calls nobody, and `#1` and addresses become no links."""


def markdown(report: Report) -> str:
    """Write the comment in fewer than 60,000 bytes; cases that do not fit are counted."""
    parts = list(_head(report))
    size = sum(len(part.encode()) for part in parts)
    tail = "\n".join(_tail(report))
    size += len(tail.encode()) + 500
    rows = [row for row in report.rows if row.standing != "passed"]
    shown = 0
    for row in rows[:CASES_MAX]:
        part = "\n".join(_case(report, row))
        size += len(part.encode()) + 1
        if size > BYTES_MAX:
            size -= len(part.encode()) + 1
            continue
        parts.append(part)
        shown += 1
    counts = report.counts
    further = counts.total - counts.passed - shown
    if further:
        parts.append(
            f"\n{wording.cases(further)} more did not pass; the other formats of this report have all of them.\n"
        )
    return "\n".join([*parts, tail]) + "\n"


def _head(report: Report) -> Iterator[str]:
    decision, head = report.decision, report.head
    sign = "" if decision is None else f"{_SIGNS[decision.result]} "
    yield f"### {sign}{_inline(wording.verdict(report), 600)}\n"
    yield f"{_code(head.title)}: {wording.counted(report.counts)}.\n"
    if decision is not None:
        for reason in decision.reasons[1:REASONS_MAX]:
            yield f"- {_inline(reason)}"
        if len(decision.reasons) > 1:
            yield ""
        if decision.comparisons:
            yield from _comparisons(decision.comparisons)
        if decision.breaches:
            yield "Cases that fail what no case may fail: " + ", ".join(
                f"{_code(one.case, NAME_MAX)} ({_code(one.scorer, NAME_MAX)}, {one.failed} of {one.repeats})"
                for one in decision.breaches[:BREACHES_MAX]
            )
            yield ""
        if decision.missing is not None and decision.missing.candidate:
            yield (
                f"Unmeasured: {wording.share(decision.missing.candidate)} of cases, "
                f"{wording.share(decision.missing.allowed)} allowed.\n"
            )
    yield f"**What to do:** {_inline(wording.what_to_do(report), 600)}\n"


def _comparisons(comparisons: tuple[Comparison, ...]) -> Iterator[str]:
    yield "| metric | candidate | baseline | difference (points) | bounds | margin | verdict |"
    yield "|---|---:|---:|---:|---:|---:|---|"
    for one in comparisons[:METRICS_MAX]:
        yield (
            f"| {_inline(one.metric, NAME_MAX)} | {wording.share(one.candidate)} | {wording.share(one.baseline)} "
            f"| {wording.points(one.difference)} | {wording.interval(one)} | {100 * one.margin:.3g} "
            f"| {one.verdict}, {wording.cases(one.cases)} |"
        )
    yield ""


def _case(report: Report, row: Row) -> Iterator[str]:
    tags = [word for word, holds in (("critical", row.is_breach), ("passed before", row.is_new)) if holds]
    told = f" ({', '.join(tags)})" if tags else ""
    reason = next((arm.shown.reason for arm in row.arms if arm.shown.reason), "")
    summary = f"{_code(row.case, NAME_MAX)} {row.standing}{told}{f': {_code(reason)}' if reason else ''}"
    yield f"<details><summary>{summary}</summary>\n"
    case = report.cases.get(row.case)
    if case is not None:
        yield from _question(case)
    for arm in row.arms:
        yield from _arm(report, arm)
    yield "</details>\n"


def _question(case: Case) -> Iterator[str]:
    asked = case.messages or case.variables
    if asked:
        yield f"Asked:\n\n{_fenced(encoded(asked).decode())}\n"
    if case.reference is not None:
        reference = case.reference if isinstance(case.reference, str) else encoded(case.reference).decode()
        yield f"Reference:\n\n{_fenced(reference)}\n"


def _arm(report: Report, arm: ArmRow) -> Iterator[str]:
    outcome = arm.shown
    yield f"{_code(wording.arm_title(report, arm.arm))} {wording.repeats(arm)}\n"
    for mark in [mark for mark in outcome.marks if mark.status != "passed"][:MARKS_MAX]:
        yield f"- {_code(mark.scorer)} {mark.status}: {_code(mark.reason or 'no reason was given')}"
    if outcome.answer.error:
        yield f"- no answer: {_code(outcome.answer.error)}"
    answer = wording.answer_text(outcome.answer)
    yield f"\n{_fenced(answer)}\n" if answer else ""


def _tail(report: Report) -> Iterator[str]:
    head, decision = report.head, report.decision
    yield "| arm | passed | cost | median | 95 % below |"
    yield "|---|---:|---:|---:|---:|"
    for arm in report.arms[:10]:
        title = _inline(wording.arm_title(report, arm.head.name), NAME_MAX)
        yield (
            f"| {title} | {arm.cases.passed:,} of {arm.cases.total:,} "
            f"| {wording.arm_cost(arm)} | {wording.milliseconds(arm.latency_p50_ms)} "
            f"| {wording.milliseconds(arm.latency_p95_ms)} |"
        )
    yield ""
    further = () if decision is None else decision.further
    if further:
        yield "<details><summary>Other metrics</summary>\n"
        yield from _comparisons(further)
        yield "</details>\n"
    judges = "unpriced" if head.judge_cost_nusd is None else wording.money(head.judge_cost_nusd, "measured")
    yield (
        f"<sub>Run {_code(head.id)} of suite version {_code(head.suite_id)}, {wording.moment(head.started_ms)}, "
        f"took {wording.milliseconds(report.duration_ms)}. Answers: {wording.money(head.cost_nusd, head.cost_status)}; "
        f"judges: {judges}.</sub>"
    )


def _inline(text: str, most: int = CELL_MAX) -> str:
    """Text as text: no markup, no link, nobody called; fits a cell of a table."""
    text = escape(_line(text, most), quote=False)
    text = _MARKUP.sub(r"\\\1", text)
    return _CALLING.sub(rf"\1{_APART}", text)


def _code(text: str, most: int = CELL_MAX) -> str:
    return f"<code>{_html(text, most)}</code>"


def _html(text: str, most: int = CELL_MAX) -> str:
    """Text for inside `<code>`: markup would count there too, so each sign that makes some is written as a number."""
    return re.sub(r"[^\w\s,;?/%]|_", lambda found: f"&#{ord(found[0])};", _line(text, most))


def _line(text: str, most: int) -> str:
    text = " ".join(_NO_TEXT.sub("\ufffd", text).split())
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _fenced(text: str) -> str:
    text = _NO_TEXT.sub("\ufffd", text.replace("\r", "\n"))
    if len(text) > TEXT_MAX:
        text = f"{text[:TEXT_MAX]}\n[{len(text) - TEXT_MAX:,} further characters are left out]"
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"
