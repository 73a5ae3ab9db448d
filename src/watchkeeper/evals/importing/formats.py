"""Tells which program a file is from, and reads it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from watchkeeper.evals.importing import deepeval, openai_api, openai_registry, ragas
from watchkeeper.evals.importing.imported import Imported, ImportRefused
from watchkeeper.evals.importing.rows import content, rows

Format = Literal["openai-registry", "openai-samples", "openai-evals", "openai-output-items", "deepeval", "ragas"]

_READERS: Mapping[Format, Callable[[Path, str, str], Imported]] = {
    "openai-registry": openai_registry.read_registry,
    "openai-samples": openai_registry.read_samples,
    "openai-evals": openai_api.read_definition,
    "openai-output-items": openai_api.read_output_items,
    "deepeval": deepeval.read,
    "ragas": ragas.read,
}
FORMATS: tuple[Format, ...] = tuple(_READERS)


def detect(path: Path) -> Format:
    """Tell which program's format a file has, by its keys or columns.

    Raises:
        ImportRefused: it cannot be read, or is in none of the formats.
    """
    suffix = path.suffix.lower()
    if suffix in (".yaml", ".yml", ".json"):
        found = _of_document(content(path))
        if found is not None:
            return found
    if suffix in (".json", ".jsonl", ".ndjson", ".csv"):
        _, first = next(rows(path), ("", {}))
        found = _of_keys(frozenset(first))
        if found is not None:
            return found
        if "item" in first:
            raise ImportRefused(
                f"Nothing was imported: {path.name} holds items of an OpenAI eval without its graders. Import the "
                "eval's definition, a JSON file with `testing_criteria`; items in a .jsonl of the same name are found."
            )
    raise ImportRefused(f"Nothing was imported: {path.name} is in none of the formats {', '.join(FORMATS)}.")


def read(path: Path, feature: str, name: str) -> Imported:
    """Read a file of any of the formats as a suite; nothing is skipped without a note.

    Args:
        path: Files that it names are looked for around it.
        feature: Of the suite.
        name: Of the suite.

    Raises:
        ImportRefused: it cannot be read at all, or holds no case.
    """
    return _READERS[detect(path)](path, feature, name)


def _of_document(data: Any) -> Format | None:
    if not isinstance(data, dict):
        return None
    if "testing_criteria" in data:
        return "openai-evals"
    if any(isinstance(value, dict) and "class" in value for value in data.values()):
        return "openai-registry"
    return None


def _of_keys(keys: frozenset[str]) -> Format | None:
    if "datasource_item" in keys or keys >= {"item", "sample"}:
        return "openai-output-items"
    if keys & openai_registry.IDEAL and "input" in keys:
        return "openai-samples"
    if "user_input" in keys or ("question" in keys and keys & ragas.MARKS):
        return "ragas"
    if "input" in keys and keys & deepeval.MARKS:
        return "deepeval"
    return None
