"""Keeps results in promptfoo's words on disk while a run goes on, and gives them in the order of the table."""

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from watchkeeper.evals.outcome import Outcome
from watchkeeper.evals.promptfoo.errors import ConfigRefused
from watchkeeper.evals.promptfoo.records import WHOLE, Record


class Results:
    """A file with one result on each line. In memory there is one number for each."""

    def __init__(self, path: Path) -> None:
        """Begin the file anew, or go on with one that is there; a line that was cut off in a crash is dropped.

        Raises:
            ConfigRefused: it cannot be written.
        """
        self._path = path
        self._places: dict[tuple[int, int], int] = {}
        try:
            self._file = path.open("a+b")
        except OSError as error:
            raise ConfigRefused(f"{path} cannot be written: {error.strerror}; nothing was asked.") from None
        self._end = self._found()
        self._file.truncate(self._end)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def __len__(self) -> int:
        return len(self._places)

    def add(self, record: Record) -> None:
        """Keep a result; a second one of the same test and column takes the place of the first."""
        line = msgspec.json.encode(record, enc_hook=str) + b"\n"
        self._file.write(line)
        self._places[record["testIdx"], record["promptIdx"]] = self._end
        self._end += len(line)

    def __iter__(self) -> Iterator[Record]:
        """Give all results by test and column."""
        self._file.flush()
        with self._path.open("rb") as file:
            for _, place in sorted(self._places.items()):
                file.seek(place)
                yield msgspec.json.decode(file.readline())

    def _found(self) -> int:
        end = 0
        self._file.seek(0)
        for line in self._file:
            if not line.endswith(b"\n"):
                break
            try:
                record = msgspec.json.decode(line)
                self._places[record["testIdx"], record["promptIdx"]] = end
            except (msgspec.DecodeError, KeyError, TypeError):
                break
            end += len(line)
        return end


def result_of(outcome: Outcome) -> Record | None:
    """Return what an outcome is in promptfoo's words; None where it is none of a promptfoo run."""
    return next((mark.detail.get("result") for mark in outcome.marks if mark.scorer == WHOLE), None)
