"""Reads the prompts of a configuration: text, files in eight formats, functions, and all of them by pattern."""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from watchkeeper.evals.promptfoo.documents import load, read_file, read_json, write_json
from watchkeeper.evals.promptfoo.errors import ConfigRefused
from watchkeeper.evals.promptfoo.files import Files, is_pattern, rows_of
from watchkeeper.evals.promptfoo.model import Prompt
from watchkeeper.evals.promptfoo.scripts import JAVASCRIPT_FILES, split_function

PROMPTS_MAX = 10_000
REMOTE = ("portkey://", "langfuse://", "helicone://")
"""Prompts that another service keeps."""

_EXTENSIONS = (*JAVASCRIPT_FILES, ".j2", ".json", ".jsonl", ".md", ".py", ".txt", ".yml", ".yaml", ".csv")


def read_prompts(written: Any, files: Files, env: Mapping[str, str], place: str = "") -> tuple[Prompt, ...]:
    """Read `prompts`: text, a list of texts and objects, or the old mapping of files to labels.

    Raises:
        ConfigRefused: there are none, or a file cannot be read.
    """
    if isinstance(written, str):
        entries: list[dict[str, Any]] = [{"raw": written}]
    elif isinstance(written, list):
        entries = [_entry(item) for item in written]
    elif isinstance(written, dict):
        entries = [{"raw": raw, "label": label} for raw, label in written.items()]
    else:
        entries = []
    if not entries:
        raise ConfigRefused(f"{place}: there are no prompts; nothing can be asked.")
    found: list[Prompt] = []
    for entry in entries:
        made = list(_Reading(files, env, place).of(entry))
        if not made:
            raise ConfigRefused(f"{place}: there are no prompts in {entry['raw']}.")
        found += made
    if len(found) > PROMPTS_MAX:
        raise ConfigRefused(f"{place}: there are more than {PROMPTS_MAX:,} prompts.")
    return tuple(found)


def _entry(item: Any) -> dict[str, Any]:
    if isinstance(item, str):
        return {"raw": item}
    if isinstance(item, dict) and isinstance(raw := item.get("raw") or item.get("id"), str):
        return {**item, "raw": raw}
    raise ConfigRefused(f"A prompt must be text, or an object with `raw` or `id`: {write_json(item)[:200]}")


def is_file(raw: str) -> bool:
    """Tell whether promptfoo takes a prompt for the name of a file."""
    if "\n" in raw or any(scheme in raw for scheme in REMOTE):
        return False
    ends = raw.split(":")[-2:]
    return (
        raw.startswith("file://")
        or any(end.endswith(_EXTENSIONS) for end in ends)
        or raw[-3:-2] == "."
        or raw[-4:-3] == "."
        or any(sign in raw for sign in "*/\\")
    )


class _Reading:
    def __init__(self, files: Files, env: Mapping[str, str], place: str) -> None:
        self._files = files
        self._separator = env.get("PROMPTFOO_PROMPT_SEPARATOR") or "---"
        self._delimiter = env.get("PROMPTFOO_CSV_DELIMITER") or ","
        self._place = place

    def of(self, entry: Mapping[str, Any]) -> Iterator[Prompt]:
        """Read what one entry names."""
        raw = entry["raw"]
        if not is_file(raw):
            yield self._prompt(entry, raw, raw)
            return
        name, function = split_function(raw.removeprefix("file://"))
        path = Path(os.path.normpath(self._files.folder / name))
        if raw.startswith("file://"):
            path = path.absolute()
        if path.is_dir() or is_pattern(name):
            matches = self._files.matching(f"{name}/*" if path.is_dir() and not is_pattern(name) else name)
            for match in matches:
                again = f"{match}:{function}" if function else str(match)
                yield from self._file({"raw": again}, match, function)
            if not matches:
                yield self._prompt(entry, raw, raw)
            return
        yield from self._file(entry, path, function)

    def _file(self, entry: Mapping[str, Any], path: Path, function: str) -> Iterator[Prompt]:
        label = entry.get("label")
        if not path.is_file():
            raise ConfigRefused(f"{self._place}: the prompt {entry['raw']} looks like a file, and is not there.")
        text = read_file(path)
        match path.suffix:
            case ".txt":
                for part in self._parts(text):
                    yield self._prompt(entry, part, f"{label}: {path}: {part}" if label else f"{path}: {part}", True)
            case ".md" | ".j2":
                yield self._prompt(entry, text, label or f"{path}: {text[:50]}...", True, path.suffix == ".md")
            case ".json":
                made = self._data(text, read_json)
                yield self._prompt(entry, made, label or f"{path}: {made}", True)
            case ".yaml" | ".yml":
                made = write_json(self._files.loaded(load(path).data))
                yield self._prompt(entry, made, label or f"{path}: {made[:80]}", True)
            case ".jsonl":
                lines = [line for line in text.replace("\r\n", "\n").split("\n") if line]
                for line in lines:
                    named = f"{label or path}: {line}" if len(lines) > 1 else label or str(path)
                    yield self._prompt(entry, line, named, True)
            case ".csv":
                yield from self._rows(entry, text)
            case suffix if suffix == ".py" or suffix in JAVASCRIPT_FILES:
                named = label or (f"{path}:{function}" if function else f"{path}: {text}")
                yield replace(self._prompt(entry, text, named, True), function=f"{path}:{function}")
            case _:
                raise ConfigRefused(f"{self._place}: prompts are not read from {path.suffix} files: {path}")

    def _data(self, text: str, read: Any) -> str:
        try:
            return write_json(self._files.loaded(read(text)))
        except ValueError:
            return text

    def _parts(self, text: str) -> Iterator[str]:
        """What stands between lines that hold the separator alone."""
        part: list[str] = []
        for line in [*re.split(r"\r?\n", text), self._separator]:
            if line.strip() != self._separator:
                part.append(line)
                continue
            if whole := "\n".join(part).strip():
                yield whole
            part = []

    def _rows(self, entry: Mapping[str, Any], text: str) -> Iterator[Prompt]:
        label = entry.get("label")
        if self._delimiter in text:
            try:
                rows = [
                    {key.strip(): cell.strip() for key, cell in row.items()} for row in rows_of(text, self._delimiter)
                ]
            except ConfigRefused:
                rows = None
            if rows is not None:
                given = [row for row in rows if row.get("prompt")]
                for number, row in enumerate(given, 1):
                    named = row.get("label") or label or f"Prompt {number} - {row['prompt']}"
                    yield self._prompt(entry, row["prompt"], named)
                return
        lines = [line for line in re.split(r"\r?\n", text) if line.strip()]
        for number, line in enumerate(lines[1:] if lines and lines[0].strip().lower() == "prompt" else lines, 1):
            yield self._prompt(entry, line, label or f"Prompt {number} - {line}")

    def _prompt(
        self, entry: Mapping[str, Any], raw: str, otherwise: str, is_read: bool = False, drop_config: bool = False
    ) -> Prompt:
        """`otherwise`: its label where the entry gives none; of what is read from a file, its label in any case."""
        label = otherwise if is_read else entry.get("label", otherwise)
        config = {} if drop_config else entry.get("config") or {}
        return Prompt(raw=raw, label=str(label), config=config, place=self._place)
