"""promptfoo's output files, by the ending of their name; each is written as the results are gone through, once."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TextIO

from watchkeeper.evals.promptfoo.envelopes import documents, junit, lines, page, table, tree
from watchkeeper.evals.promptfoo.envelopes.head import Head
from watchkeeper.evals.promptfoo.errors import ConfigRefused
from watchkeeper.evals.promptfoo.results import Results

Writer = Callable[[TextIO, Head, Results], None]

WRITERS: Mapping[str, Writer] = {
    ".json": documents.write_json_document,
    ".jsonl": lines.write,
    ".csv": table.write,
    ".html": page.write,
    ".yaml": documents.write_yaml_document,
    ".yml": documents.write_yaml_document,
    ".txt": documents.write_yaml_document,
    ".junit.xml": junit.write,
    ".xml": tree.write,
}


def check(path: Path) -> Writer:
    """Return what writes a file of this name; asked before the run, so that nothing is paid for in vain.

    Raises:
        ConfigRefused: nothing does.
    """
    name = path.name.lower()
    if name.endswith(".junit.xml"):
        return WRITERS[".junit.xml"]
    writer = WRITERS.get(path.suffix.lower())
    if writer is None or "://" in str(path):
        raise ConfigRefused(f"{path}: results are written as {', '.join(WRITERS)}; nothing was asked.")
    return writer


def write(path: Path, head: Head, results: Results) -> None:
    """Write a file; folders that are missing are made, and a file that was there is replaced once the new one is whole.

    Raises:
        ConfigRefused: it cannot be written.
    """
    writer = check(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{path.name}.unfinished")
        with unfinished.open("w", encoding="utf-8", newline="") as file:
            writer(file, head, results)
        unfinished.replace(path)
    except OSError as error:
        raise ConfigRefused(f"{path} cannot be written: {error.strerror}.") from None
