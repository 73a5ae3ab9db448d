"""Reads the files that other programs' data comes in: JSON, lines of JSON, CSV, YAML."""

import csv
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from watchkeeper.config import document
from watchkeeper.evals.importing.imported import ImportRefused

BYTES_MAX = 256 << 20
"""Of one file."""
LIST_KEYS = ("goldens", "test_cases", "testCases", "samples", "data", "items")
"""Under one of which a JSON document may hold its rows."""

Row = tuple[str, dict[str, Any]]
"""Where it stands, and its content."""


def content(path: Path) -> Any:
    """Read a JSON or YAML file whole.

    Raises:
        ImportRefused: it cannot be read.
    """
    text = _bytes(path)
    if path.suffix.lower() in (".yaml", ".yml"):
        found = document.read(text)
        if found.faults:
            line, _, message = found.faults[0]
            raise ImportRefused(f"Nothing was imported: {path.name}{'' if line is None else f':{line}'}: {message}.")
        return found.data
    return _decoded(text, path.name)


def rows(path: Path) -> Iterator[Row]:
    """Yield the rows of a table, of lines of JSON, or of a list in a JSON document.

    Raises:
        ImportRefused: it cannot be read, or a row is no mapping.
    """
    match path.suffix.lower():
        case ".csv":
            yield from _table(path)
        case ".jsonl" | ".ndjson":
            for number, line in enumerate(io.BytesIO(_bytes(path)), 1):
                if line.strip():
                    yield _row(f"{path.name}:{number}", _decoded(line, f"{path.name}:{number}"))
        case _:
            yield from _listed(path.name, content(path))


def _listed(name: str, data: Any) -> Iterator[Row]:
    if isinstance(data, dict):
        key = next((key for key in LIST_KEYS if isinstance(data.get(key), list)), "")
        name, data = f"{name}: {key}", data.get(key)
    if not isinstance(data, list):
        raise ImportRefused(f"Nothing was imported: {name} holds no list of cases.")
    for index, item in enumerate(data):
        yield _row(f"{name}[{index}]", item)


def _table(path: Path) -> Iterator[Row]:
    try:
        text = _bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ImportRefused(f"Nothing was imported: {path.name} is not UTF-8 text.") from None
    reader = csv.DictReader(io.StringIO(text, newline=""))
    before = csv.field_size_limit(min(BYTES_MAX, sys.maxsize))
    try:
        for row in reader:
            place = f"{path.name}:{reader.line_num}"
            if None in row or None in row.values():
                raise ImportRefused(
                    f"Nothing was imported: {place} has another number of columns than the first line has."
                )
            yield place, dict(row)
    except csv.Error as error:
        raise ImportRefused(f"Nothing was imported: {path.name}:{reader.line_num} is not CSV: {error}.") from None
    finally:
        csv.field_size_limit(before)


def _row(place: str, item: Any) -> Row:
    if not isinstance(item, dict):
        raise ImportRefused(f"Nothing was imported: {place} is no mapping.")
    return place, item


def _decoded(text: bytes, place: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ImportRefused(f"Nothing was imported: {place} is not JSON: {error}.") from None


def _bytes(path: Path) -> bytes:
    try:
        if path.stat().st_size > BYTES_MAX:
            raise ImportRefused(f"Nothing was imported: {path.name} is larger than {BYTES_MAX >> 20} MiB. Split it.")
        return path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    except OSError as error:
        raise ImportRefused(f"Nothing was imported: {path} cannot be read: {error.strerror}.") from None
