"""The table as a page that needs nothing else: no script, no style sheet, no picture."""

from html import escape
from typing import TextIO

from watchkeeper.evals.promptfoo.documents import as_text
from watchkeeper.evals.promptfoo.envelopes.head import Head
from watchkeeper.evals.promptfoo.envelopes.table import rows
from watchkeeper.evals.promptfoo.results import Results

_STYLE = (
    "body{font:14px/1.4 system-ui,sans-serif;margin:1.5rem}table{border-collapse:collapse}"
    "th,td{border:1px solid #ccc;padding:.4rem .6rem;text-align:left;vertical-align:top;white-space:pre-line;"
    "min-width:12rem;word-break:break-word}th{background:#f4f4f4;position:sticky;top:0}"
    '[data-content^="[PASS]"]{border-left:4px solid #2c7a4b}[data-content^="[FAIL]"]{border-left:4px solid #b3261e}'
    '[data-content^="[ERROR]"]{border-left:4px solid #8a6d00}'
)
_VERDICT_LETTERS = 40


def write(file: TextIO, head: Head, results: Results) -> None:
    """Write HTML, one row at a time."""
    title = escape(as_text(head.config.get("description") or "Results"))
    stats = head.stats
    file.write(f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>')
    file.write(f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body>\n')
    counts = f"{stats['successes']} passed, {stats['failures']} failed, {stats['errors']} errors"
    file.write(f"<h1>{title}</h1>\n<p>{escape(head.created)}: {counts}</p>\n<table><thead>\n")
    for index, row in enumerate(rows(head, results)):
        if index == 0:
            file.write("<tr>" + "".join(f"<th>{escape(name)}</th>" for name in row) + "</tr>\n</thead><tbody>\n")
            continue
        cells = (f'<td data-content="{escape(text[:_VERDICT_LETTERS])}">{escape(text)}</td>' for text in row)
        file.write("<tr>" + "".join(cells) + "</tr>\n")
    file.write("</tbody></table></body></html>\n")
