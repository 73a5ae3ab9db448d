"""A run as one page that needs nothing else: no script, no picture, no font from anywhere, and no request at all."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from watchkeeper.evals.reports import wording
from watchkeeper.evals.reports.building import TEXT_MAX
from watchkeeper.evals.reports.records import encoded
from watchkeeper.evals.reports.report import ArmRow, Report, Row
from watchkeeper.releases.wording import Passage, differences

DIFFERENCES_MAX = 100
"""Cases whose answers are compared word by word; and only if each has at most so many characters:"""
DIFFERENCE_TEXT_MAX = 2_000
BREACHES_MAX = 50

_NO_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_TOKENS = "console/static/tokens.css"
"""The console's colours and sizes."""


@dataclass(frozen=True, slots=True)
class _CaseOnPage:
    row: Row
    question: str
    reference: str
    tags: tuple[str, ...]
    arms: tuple[tuple[ArmRow, str], ...]
    """Each with its answer as text."""
    passages: tuple[Passage, ...]
    """How the candidate's answer differs from the baseline's, which is the first; empty where they are not compared."""


def page(report: Report) -> Iterator[bytes]:
    """Yield the page; cases beyond the report's rows are counted on it."""
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        loader=PackageLoader("watchkeeper.evals", "reports"),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["cut"] = _cut
    template = environment.get_template("page.html")
    for text in template.generate(
        report=report,
        head=report.head,
        decision=report.decision,
        cases=_cases(report),
        words=wording,
        tokens=(files("watchkeeper") / _TOKENS).read_text("utf-8"),
        style=(files("watchkeeper.evals.reports") / "page.css").read_text("utf-8"),
        breaches_max=BREACHES_MAX,
    ):
        yield _NO_TEXT.sub("\ufffd", text).encode()


def _cases(report: Report) -> Iterator[_CaseOnPage]:
    for number, row in enumerate(report.rows):
        case = report.cases.get(row.case)
        arms = tuple((arm, wording.answer_text(arm.shown.answer)) for arm in row.arms)
        yield _CaseOnPage(
            row=row,
            question="" if case is None else _asked(case.messages or case.variables),
            reference="" if case is None else _text(case.reference),
            tags=() if case is None else case.tags,
            arms=arms,
            passages=_passages(report, arms) if number < DIFFERENCES_MAX else (),
        )


def _passages(report: Report, arms: tuple[tuple[ArmRow, str], ...]) -> tuple[Passage, ...]:
    by_arm = {arm.arm: text for arm, text in arms}
    before, after = by_arm.get(report.head.baseline, ""), by_arm.get(report.head.arms[0].name, "")
    if not before or not after or before == after or max(len(before), len(after)) > DIFFERENCE_TEXT_MAX:
        return ()
    return differences(before, after)


def _asked(question: Any) -> str:
    """One variable stands for itself; several, and conversations, with their names."""
    match question:
        case {**variables} if len(variables) == 1:
            return _text(next(iter(variables.values())))
        case {**variables}:
            return "\n".join(f"{name}: {_text(value)}" for name, value in variables.items())
        case _:
            return "\n".join(f"{one.get('role', '')}: {_text(one.get('content'))}" for one in question)


def _text(value: Any) -> str:
    return "" if value is None else value if isinstance(value, str) else encoded(value).decode()


def _cut(text: str) -> str:
    left = len(text) - TEXT_MAX
    return text if left <= 0 else f"{text[:TEXT_MAX]}\n[{left:,} further characters are left out]"
