"""The table as CSV: a row for each test with its variables, a cell for each column: verdict, score, output, reason."""

import csv
from collections.abc import Iterator
from itertools import groupby
from typing import Any, TextIO

from watchkeeper.evals.promptfoo.documents import as_text, write_json
from watchkeeper.evals.promptfoo.envelopes.head import Head
from watchkeeper.evals.promptfoo.envelopes.stripping import stripped
from watchkeeper.evals.promptfoo.records import ASSERT, Record, output_text
from watchkeeper.evals.promptfoo.results import Results


def write(file: TextIO, head: Head, results: Results) -> None:
    """Write CSV, one row at a time."""
    writer = csv.writer(file, lineterminator="\n")
    for row in rows(head, results):
        writer.writerow(row)


def rows(head: Head, results: Results) -> Iterator[list[str]]:
    """Give the head of the table, then its rows."""
    yield [*head.variables, *head.columns]
    for _, cells in groupby(results, key=lambda record: record["testIdx"]):
        shown = [""] * len(head.prompts)
        variables: dict[str, Any] = {}
        for record in cells:
            kept = stripped(record, head.env)
            variables = variables or kept["testCase"].get("vars") or {}
            shown[record["promptIdx"]] = cell(kept)
        yield [*(_shown(variables.get(name)) for name in head.variables), *shown]


def cell(record: Record) -> str:
    """Return what a cell says."""
    is_failure = record["failureReason"] == ASSERT
    verdict = "[PASS]" if record["success"] else "[FAIL]" if is_failure else "[ERROR]"
    figures = [f"{record['score']:.2f}", *(f"{name}: {value:.2f}" for name, value in record["namedScores"].items())]
    grading = record.get("gradingResult")
    reason = f"{'Pass' if record['success'] else 'Fail'} Reason: {grading['reason']}" if grading else ""
    return f"{verdict} ({', '.join(figures)})\n\n{output_text(record)}\n\n{reason}".strip()


def _shown(value: Any) -> str:
    if value in (None, "", False):
        return ""
    return write_json(value) if isinstance(value, dict | list) else as_text(value)
