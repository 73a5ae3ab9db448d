"""One result on each line, as JSON."""

from typing import TextIO

from watchkeeper.evals.promptfoo.documents import write_json
from watchkeeper.evals.promptfoo.envelopes.head import Head
from watchkeeper.evals.promptfoo.envelopes.stripping import stripped
from watchkeeper.evals.promptfoo.results import Results


def write(file: TextIO, head: Head, results: Results) -> None:
    """Write them, by test and column."""
    file.writelines(write_json(stripped(record, head.env)) + "\n" for record in results)
