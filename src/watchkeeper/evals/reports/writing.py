"""Writes a report into a file; the end of its name says in which format."""

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from watchkeeper.core.errors import CallerError
from watchkeeper.evals.reports.csv_file import csv_table
from watchkeeper.evals.reports.html_page import page
from watchkeeper.evals.reports.json_files import json_document, json_lines
from watchkeeper.evals.reports.junit_xml import junit
from watchkeeper.evals.reports.markdown_text import markdown
from watchkeeper.evals.reports.report import Report


class ReportRefused(CallerError):
    """A report cannot be written as it was asked for; nothing was."""

    code = "report_refused"
    http_status = 422


def _markdown(report: Report) -> Iterator[bytes]:
    yield markdown(report).encode()


FORMATS: Mapping[str, Callable[[Report], Iterable[bytes]]] = {
    ".html": page,
    ".json": json_document,
    ".jsonl": json_lines,
    ".csv": csv_table,
    ".md": _markdown,
    ".xml": junit,
}
"""By the end of the name; `.junit.xml` is `.xml`."""


def format_of(path: Path) -> str:
    """Return the end of a file's name that says the format of a report; to be asked before a run costs money.

    Raises:
        ReportRefused: there is no such format.
    """
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        said = f"`{suffix}`" if suffix else "no ending"
        raise ReportRefused(
            f"No report is written into `{path.name}`: its name has {said}, and a report's ends in one of "
            f"{', '.join(FORMATS)}. Choose one of them."
        )
    return suffix


def write(report: Report, path: Path) -> None:
    """Write a report; a file that is there is replaced once all of it is written.

    Raises:
        ReportRefused: there is no such format.
        OSError: it cannot be written; what was there stays.
    """
    written = FORMATS[format_of(path)]
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with beside.open("xb") as file:
            file.writelines(written(report))
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
