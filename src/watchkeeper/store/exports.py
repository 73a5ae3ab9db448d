"""Costs as a table for other programs: CSV or Parquet, written by the store, passed on piece by piece."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any, Literal

from watchkeeper.store.cost import column_of, conditions_of, groups_of
from watchkeeper.store.cost_rows import CostScope, Dimension, Named
from watchkeeper.store.questions import Parameters, sql

ExportFormat = Literal["csv", "parquet"]

PIECE_BYTES = 256 * 1024
SECONDS_MAX = 900
"""Of one export."""
MEMORY_BYTES_MAX = 1024**3
SETTINGS: dict[str, Any] = {
    "max_memory_usage": MEMORY_BYTES_MAX,
    "max_execution_time": SECONDS_MAX,
    "max_bytes_before_external_group_by": MEMORY_BYTES_MAX // 4,
    "max_bytes_before_external_sort": MEMORY_BYTES_MAX // 4,
    "join_use_nulls": 0,
    "format_csv_null_representation": "",
    "output_format_parquet_string_as_string": 1,
    "output_format_parquet_row_group_size": 100_000,
}
_FORMATS: dict[ExportFormat, str] = {"csv": "CSVWithNames", "parquet": "Parquet"}
_CALL_TEXTS: tuple[Named, ...] = (
    "feature", "tenant", "subject", "key", "session", "environment", "release", "route", "provider", "model", "status",
)  # fmt: skip


class Exports:
    """Writes exports, one at a time; the next one waits.

    An export is written to disk as a whole before its first byte is passed on: neither its size nor a slow reader costs
    memory, and what fails fails before anything was sent. The file is open to its owner only and has no name any more
    once it is read.

    Args:
        client: Returns the calling thread's own client of the store.
        folder: Of the embedded store; None for a server.
    """

    def __init__(self, client: Callable[[], Any], folder: Path | None) -> None:
        self._client = client
        self._folder = None if folder is None else folder / "exports"
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="export")

    def close(self) -> None:
        """Finish what is being written."""
        self._writer.shutdown()

    def groups(
        self, scope: CostScope, dimensions: Sequence[Dimension], *, tz: str, form: ExportFormat
    ) -> AsyncIterator[bytes]:
        """Write what every group of calls costs, dearest first; at least one dimension is needed."""
        groups, values = groups_of(scope, dimensions, tz)
        keys = [f"k{place}" for place in range(len(dimensions))]
        names = [f"{_shown(one, key, form)} AS {one}" for one, key in zip(dimensions, keys, strict=True)]
        text = sql("export_groups").format(groups=groups, names=", ".join(names), keys=", ".join(keys))
        return self._pieces(text, values, form)

    def calls(self, scope: CostScope, *, form: ExportFormat) -> AsyncIterator[bytes]:
        """Write what each call costs, in no order."""
        where, values = conditions_of(scope)
        texts = [f"{_text(column_of(one), form)} AS {one}" for one in _CALL_TEXTS]
        text = sql("export_calls").format(where=where, texts=",\n    ".join(texts), corrected=sql("corrected").format())
        return self._pieces(text, values, form)

    async def _pieces(self, text: str, values: Parameters, form: ExportFormat) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        file = await loop.run_in_executor(self._writer, self._write, text, values, form)
        try:
            while piece := await asyncio.to_thread(file.read, PIECE_BYTES):
                yield piece
        finally:
            file.close()

    def _write(self, text: str, values: Parameters, form: ExportFormat) -> IO[bytes]:
        if self._folder is None:
            file = tempfile.TemporaryFile()  # noqa: SIM115  closed by who reads it
            with self._client().raw_stream(text, parameters=values, settings=SETTINGS, fmt=_FORMATS[form]) as found:
                shutil.copyfileobj(found, file, PIECE_BYTES)
            file.seek(0)
            return file
        client = self._client()
        shutil.rmtree(self._folder, ignore_errors=True)  # of a process that died while it wrote
        self._folder.mkdir(mode=0o700)
        path = self._folder / "rows"
        literal = str(path).replace("\\", "\\\\").replace("'", "\\'")
        try:
            client.command(
                f"{text} INTO OUTFILE '{literal}' FORMAT {_FORMATS[form]}", parameters=values, settings=SETTINGS
            )
            return path.open("rb")
        finally:
            shutil.rmtree(self._folder)


def _shown(dimension: Dimension, key: str, form: ExportFormat) -> str:
    """A column as it stands in the table: an hour in ISO 8601 with its offset, days and longer as dates."""
    match dimension:
        case "hour":
            moment = f"toDateTime({key}, {{tz:String}})"
            offset = f"formatDateTime({moment}, '%z')"
            return f"concat(formatDateTime({moment}, '%FT%T'), left({offset}, 3), ':', right({offset}, 2))"
        case "day" | "week" | "month":
            return key
        case _:
            return _text(key, form)


def _text(column: str, form: ExportFormat) -> str:
    """In CSV, a text that a spreadsheet would take for a formula gets an apostrophe; clients choose many texts."""
    if form != "csv":
        return f"toString({column})"
    return rf"if(match({column}, '^[=+\\-@\\t\\r]'), concat('\'', {column}), toString({column}))"
