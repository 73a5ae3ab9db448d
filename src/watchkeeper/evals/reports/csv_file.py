"""A run as a table for spreadsheets: a row for each outcome, a column for each scorer."""

import csv
import io
import re
from collections.abc import Iterator
from typing import Any

from watchkeeper.core.money import usd
from watchkeeper.evals.outcome import Outcome
from watchkeeper.evals.reports import wording
from watchkeeper.evals.reports.records import encoded
from watchkeeper.evals.reports.report import Report

COLUMNS = (
    "case",
    "arm",
    "repeat",
    "status",
    "score",
    "reason",
    "answer",
    "error",
    "variables",
    "reference",
    "tags",
    "latency_ms",
    "cost_usd",
    "cost_status",
    "judge_cost_usd",
    "input_tokens",
    "output_tokens",
    "release",
    "model",
    "call",
    "reused",
)
"""Behind them, `score: TITLE` for each scorer; empty where it was not measured."""

_FORMULA = re.compile(r"^\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|^[\t\r\n]")
_NO_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


def csv_table(report: Report) -> Iterator[bytes]:
    """Yield the table in UTF-8 with a mark in front, by which spreadsheets know it.

    What a spreadsheet would take for a formula gets an apostrophe in front; control characters become U+FFFD.
    """
    scorers = list(dict.fromkeys(one.scorer for arm in report.arms for one in arm.scorers))
    yield b"\xef\xbb\xbf" + _line([*COLUMNS, *(f"score: {scorer}" for scorer in scorers)])
    for outcome in report.outcomes():
        scores = {mark.scorer: mark.score for mark in outcome.marks if mark.status != "unmeasured"}
        yield _line([*_cells(report, outcome), *(scores.get(scorer) for scorer in scorers)])


def _cells(report: Report, outcome: Outcome) -> list[Any]:
    case, answer = report.cases.get(outcome.case), outcome.answer
    judged = [mark for mark in outcome.marks if mark.judge or mark.calls]
    costs = [mark.cost_nusd for mark in judged]
    known = [cost for cost in costs if cost is not None]
    return [
        outcome.case,
        outcome.arm,
        outcome.repeat,
        outcome.status,
        outcome.score,
        outcome.reason,
        wording.answer_text(answer),
        answer.error,
        "" if case is None else encoded(case.variables).decode(),
        "" if case is None else _text(case.reference),
        "" if case is None else " ".join(case.tags),
        answer.latency_ms,
        None if answer.cost_nusd is None else _Number(usd(answer.cost_nusd)),
        answer.cost_status if answer.call else "",
        _Number(usd(sum(known))) if len(known) == len(costs) else None,
        answer.input_tokens,
        answer.output_tokens,
        answer.release,
        answer.model,
        answer.call,
        "yes" if answer.reused else "",
    ]


class _Number(str):
    """Text that is a number, and may begin with a minus."""

    __slots__ = ()


def _text(value: Any) -> str:
    return "" if value is None else value if isinstance(value, str) else encoded(value).decode()


def _line(cells: list[Any]) -> bytes:
    written = io.StringIO(newline="")
    csv.writer(written).writerow([_cell(cell) for cell in cells])
    return written.getvalue().encode()


def _cell(value: Any) -> Any:
    if not isinstance(value, str) or isinstance(value, _Number):
        return value
    text = _NO_TEXT.sub("\ufffd", value)
    return f"'{text}" if _FORMULA.search(text) else text
