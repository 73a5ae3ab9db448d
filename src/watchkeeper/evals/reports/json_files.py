"""A run as one JSON document, or as lines of JSON; both are written as outcomes are read."""

from collections.abc import Iterable, Iterator

from watchkeeper.evals.reports.records import case_record, encoded, outcome_record, run_record
from watchkeeper.evals.reports.report import Report


def json_document(report: Report) -> Iterator[bytes]:
    """Yield one document: what `run_record` holds, with `suite_cases` and `outcomes` behind it, a line for each."""
    yield encoded(run_record(report)).removesuffix(b"}")
    yield b',\n"suite_cases":['
    yield from _items(encoded(case_record(case)) for case in report.cases.values())
    yield b'\n],\n"outcomes":['
    yield from _items(encoded(outcome_record(outcome)) for outcome in report.outcomes())
    yield b"\n]}\n"


def json_lines(report: Report) -> Iterator[bytes]:
    """Yield a line for the run, then one for each outcome, with its case's question, reference and tags in it.

    `kind` says which: `run` or `outcome`.
    """
    yield encoded({"kind": "run"} | run_record(report)) + b"\n"
    for outcome in report.outcomes():
        case = report.cases.get(outcome.case)
        asked = {
            "variables": None if case is None else case.variables,
            "messages": None if case is None else case.messages,
            "reference": None if case is None else case.reference,
            "tags": None if case is None else case.tags,
            "cluster": None if case is None else case.cluster,
            "weight": None if case is None else case.weight,
        }
        yield encoded({"kind": "outcome", "run": report.head.id} | outcome_record(outcome) | asked) + b"\n"


def _items(lines: Iterable[bytes]) -> Iterator[bytes]:
    for number, line in enumerate(lines):
        yield (b",\n" if number else b"\n") + line
