"""Reads the tests of a configuration, one after another: lists, tables, JSON, YAML, generators."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from watchkeeper.evals.promptfoo.documents import follow_references, load, read_file, read_json, write_json
from watchkeeper.evals.promptfoo.errors import ConfigRefused
from watchkeeper.evals.promptfoo.files import Files, rows_of
from watchkeeper.evals.promptfoo.model import TestCase
from watchkeeper.evals.promptfoo.scripts import JAVASCRIPT_FILES, Scripts, split_function
from watchkeeper.evals.promptfoo.table_rows import read_row

SHEETS = "https://docs.google.com/spreadsheets/"
DATASETS = "huggingface://"
_SAID = ("assert", "vars", "options", "metadata", "provider", "providerOutput")


def read_tests(written: Any, files: Files, scripts: Scripts, env: Mapping[str, str], place: str) -> Iterator[TestCase]:
    """Read `tests` lazily; tables and JSON lines are never held as a whole.

    Raises:
        ConfigRefused: a file cannot be read, or an entry is no test.
    """
    reading = _Reading(files, scripts, env)
    if isinstance(written, str):
        if written.endswith(("yaml", "yml")):
            yield from reading.listed(written)
        else:
            yield from reading.alone(written, None)
    elif isinstance(written, dict) and isinstance(written.get("path"), str):
        yield from reading.alone(written["path"], written.get("config"))
    elif isinstance(written, list):
        for index, entry in enumerate(written):
            yield from reading.entry(entry, f"{place}: tests[{index}]")
    elif written is not None:
        raise ConfigRefused(f"{place}: `tests` must be a list, or name a file.")


def unsupported_source(written: Any) -> str:
    """Say why tests cannot be read from where they are; empty where they can."""
    path = written.get("path") if isinstance(written, dict) else written
    if not isinstance(path, str):
        return ""
    if path.startswith(SHEETS):
        return "tests in a Google sheet are not fetched; export it as CSV and name the file"
    if path.startswith(DATASETS):
        return "tests are not fetched from Hugging Face; save the data set as JSON lines and name the file"
    name = split_function(path.removeprefix("file://"))[0]
    if name.endswith((".mjs", ".ts", ".cts", ".mts")):
        return "tests in an ES module or TypeScript need Node; write them as CommonJS, Python or YAML"
    return ""


def read_test(entry: Any, files: Files, place: str, *, is_default: bool = False) -> TestCase:
    """Read one test as a configuration has it.

    Raises:
        ConfigRefused: it says nothing of what a test may say.
    """
    if not isinstance(entry, dict):
        raise ConfigRefused(f"{place}: a test must be a mapping, not {write_json(entry)[:100]}")
    if (
        not is_default
        and not any(entry.get(key) for key in _SAID)
        and not isinstance(entry.get("threshold"), int | float)
    ):
        raise ConfigRefused(f"{place}: a test must have one of {', '.join(f'`{key}`' for key in _SAID)}, `threshold`.")
    assertions = entry.get("assert") or []
    if not isinstance(assertions, list) or not all(isinstance(each, dict) for each in assertions):
        raise ConfigRefused(f"{place}: `assert` must be a list of assertions.")
    variables = entry.get("vars") or {}
    if isinstance(variables, str | list):
        variables = _variables(variables, files)
    threshold = entry.get("threshold")
    return TestCase(
        description=str(entry.get("description") or ""),
        variables=variables,
        assertions=tuple(assertions),
        scoring=entry.get("assertScoringFunction") or "",
        threshold=threshold if isinstance(threshold, int | float) else None,
        provider=entry.get("provider"),
        provider_output=entry.get("providerOutput"),
        metadata=entry.get("metadata") or {},
        options=entry.get("options") or {},
        place=place,
    )


def _variables(written: str | list[Any], files: Files) -> dict[str, Any]:
    """Variables that stand in files of their own; later ones win."""
    merged: dict[str, Any] = {}
    for pattern in [written] if isinstance(written, str) else written:
        for path in files.matching(str(pattern)):
            content = files.loaded(load(path).data)
            merged.update(content if isinstance(content, dict) else {})
    return merged


class _Reading:
    def __init__(self, files: Files, scripts: Scripts, env: Mapping[str, str]) -> None:
        self._files = files
        self._scripts = scripts
        self._delimiter = env.get("PROMPTFOO_CSV_DELIMITER") or ","

    def entry(self, entry: Any, place: str) -> Iterator[TestCase]:
        if isinstance(entry, dict) and "path" in entry:
            yield from self.alone(str(entry["path"]), entry.get("config"))
        elif not isinstance(entry, str):
            yield read_test(entry, self._files, place)
        else:
            name = split_function(entry)[0]
            if name.endswith((".py", *JAVASCRIPT_FILES)) or ":" in entry.removeprefix("file://"):
                yield from self.alone(entry, None)
            else:
                yield from self.listed(entry)

    def alone(self, written: str, config: Any) -> Iterator[TestCase]:
        """A file that holds all tests; those without a description are called by their row."""
        if why := unsupported_source(written):
            raise ConfigRefused(f"{written}: {why}.")
        name, function = split_function(written.removeprefix("file://"))
        path = self._files.path(name)
        if path.suffix == ".py" or path.suffix in JAVASCRIPT_FILES:
            yield from self._generated(path, function, config)
        elif path.suffix == ".csv":
            yield from self._table(path)
        elif path.suffix == ".json":
            content = load(path).data
            for index, item in enumerate(content if isinstance(content, list) else [content], 1):
                described = {**item, "description": item.get("description") or f"Row #{index}"}
                yield read_test(described, self._files, f"{path}: {index}")
        elif path.suffix == ".jsonl":
            for index, item in enumerate(self._lines(path), 1):
                yield read_test({**item, "description": f"Row #{index}"}, self._files, f"{path}: {index}")
        else:
            raise ConfigRefused(f"{path}: tests are not read from {path.suffix or 'such'} files.")

    def listed(self, written: str) -> Iterator[TestCase]:
        """Files by pattern, each with tests as a configuration has them."""
        if why := unsupported_source(written):
            raise ConfigRefused(f"{written}: {why}.")
        paths = self._files.matching(written.removeprefix("file://"))
        if not paths:
            raise ConfigRefused(f"No file of tests matches {written}.")
        for path in paths:
            here = Files(path.parent, self._files.env)
            match path.suffix:
                case ".csv":
                    yield from self._table(path)
                case ".py" | ".js" | ".cjs":
                    yield from self._generated(path, "", None)
                case ".jsonl":
                    for index, item in enumerate(self._lines(path), 1):
                        yield read_test(self._files.loaded(item), here, f"{path}: {index}")
                case ".yaml" | ".yml" | ".json":
                    content = follow_references(self._files.loaded(load(path).data), path.parent)
                    for index, item in enumerate(content if isinstance(content, list) else [content]):
                        yield read_test(item, here, f"{path}: [{index}]")
                case _:
                    raise ConfigRefused(f"{path}: tests are not read from {path.suffix or 'such'} files.")

    def _table(self, path: Path) -> Iterator[TestCase]:
        for index, row in enumerate(rows_of(read_file(path), self._delimiter), 1):
            test = read_row(row, f"{path}: row {index}")
            yield read_test(
                {**test, "description": test.get("description") or f"Row #{index}"}, self._files, f"{path}: row {index}"
            )

    def _lines(self, path: Path) -> Iterator[dict[str, Any]]:
        number = 0
        try:
            with path.open(encoding="utf-8-sig", newline="\n") as lines:
                for number, line in enumerate(lines, 1):
                    if not line.strip():
                        continue
                    item = read_json(line)
                    if not isinstance(item, dict):
                        raise ConfigRefused(f"{path}:{number}: a test must be a mapping.")
                    yield item
        except OSError as error:
            raise ConfigRefused(f"{path} cannot be read: {error.strerror}.") from None
        except ValueError as error:
            raise ConfigRefused(f"{path}:{number}: not JSON: {error}") from None

    def _generated(self, path: Path, function: str, config: Any) -> Iterator[TestCase]:
        arguments = [] if config is None else [self._files.loaded(config)]
        made = self._scripts.call(path, function, arguments, default="generate_tests")
        if not isinstance(made, list):
            raise ConfigRefused(f"{path}:{function or 'generate_tests'} must return a list of tests; it returned none.")
        for index, item in enumerate(made):
            yield read_test(item, self._files, f"{path}: [{index}]")
