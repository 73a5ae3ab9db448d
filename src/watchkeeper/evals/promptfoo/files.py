"""Files that a configuration names: `file://`, patterns, and what stands in them."""

import base64
import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from watchkeeper.evals.promptfoo.documents import load, read_file, read_json
from watchkeeper.evals.promptfoo.errors import ConfigRefused
from watchkeeper.evals.promptfoo.scripts import JAVASCRIPT_FILES, split_function

SCHEME = "file://"
MATCHES_MAX = 100_000
IMAGES = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".svg")
VIDEOS = (".mp4", ".webm", ".ogg", ".mov", ".avi", ".wmv", ".mkv", ".m4v")
SOUNDS = (".wav", ".mp3", ".ogg", ".aac", ".m4a", ".flac", ".wma", ".aiff", ".opus")

_PATTERN = re.compile(r"[*?\[]|[!+@]\(")
_ENV = re.compile(r"{{\s*env\.(\w+)\s*}}")

Around = Literal["", "assertion", "vars"]
"""Where a reference stands: assertions keep the names of scripts, variables keep patterns."""


class Files:
    """Reads what stands beside a configuration."""

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        self.folder = folder
        self.env = env

    def path(self, reference: str) -> Path:
        """Return the path that `file://PATH` or `PATH` names, from the configuration's folder."""
        named = _ENV.sub(lambda found: self.env.get(found[1], ""), reference)
        return self.folder / named.removeprefix(SCHEME)

    def matching(self, pattern: str) -> list[Path]:
        """Return the files that a pattern names; a plain path names itself where it is there.

        In the order in which promptfoo's library gives them: files before folders, both backwards by name.

        Raises:
            ConfigRefused: there are more than MATCHES_MAX.
        """
        path = self.path(pattern)
        if not is_pattern(pattern):
            return [path] if path.exists() else []
        found: list[Path] = []
        for written in _braces(str(path)):
            parts = Path(written).parts
            fixed = next(index for index, part in enumerate((*parts, "*")) if is_pattern(part))
            top = Path(*parts[:fixed])
            rest = "/".join(parts[fixed:]) or "."
            matches = [match for match in top.glob(rest) if match.is_file() and not _is_hidden(match, top)]
            found += sorted(matches, key=lambda match: _backwards(match.relative_to(top)))
            if len(found) > MATCHES_MAX:
                raise ConfigRefused(f"{pattern} names more than {MATCHES_MAX:,} files; nothing was read.")
        return list(dict.fromkeys(found))

    def loaded(self, value: Any, around: Around = "") -> Any:
        """Replace every `file://` in a value by what the file holds.

        JSON and YAML become data, CSV a list of rows (of values, where there is one column), other files text. Python
        and JavaScript keep their names where they will be run.

        Raises:
            ConfigRefused: a file is not there or cannot be read.
        """
        if isinstance(value, list):
            return [self.loaded(item, around) for item in value]
        if isinstance(value, dict):
            runs = value.get("type") in ("python", "javascript")
            return {
                key: self.loaded(item, "assertion" if key == "value" and runs else "vars" if key == "vars" else around)
                for key, item in value.items()
            }
        if not isinstance(value, str) or not value.startswith(SCHEME):
            return value
        name, function = split_function(value.removeprefix(SCHEME))
        is_script = name.endswith((".py", *JAVASCRIPT_FILES))
        if (is_script and (around == "assertion" or function)) or (around == "vars" and is_pattern(name)):
            return value
        if not is_pattern(name):
            return self._content(self.path(value))
        contents = [self._content(path) for path in self.matching(value)]
        if not contents:
            raise ConfigRefused(f"No file matches {value}.")
        return [item for content in contents for item in (content if isinstance(content, list) else [content])]

    def _content(self, path: Path) -> Any:
        if path.suffix in (".yaml", ".yml"):
            return load(path).data
        text = read_file(path)
        if path.suffix == ".json":
            try:
                return read_json(text)
            except ValueError as error:
                raise ConfigRefused(f"{path} is not JSON: {error}") from None
        if path.suffix == ".csv":
            rows = list(rows_of(text))
            return [next(iter(row.values())) for row in rows] if rows and len(rows[0]) == 1 else rows
        return text


def is_pattern(path: str) -> bool:
    """Tell whether a path names files by a pattern."""
    return _PATTERN.search(path) is not None


def read_base64(path: Path) -> str:
    """Return a file's bytes in base 64. Raises ConfigRefused."""
    try:
        return base64.b64encode(path.read_bytes()).decode("ascii")
    except OSError as error:
        raise ConfigRefused(f"{path} cannot be read: {error.strerror}.") from None


def rows_of(text: str, delimiter: str = ",") -> Iterator[dict[str, str]]:
    """Read CSV with a head; lines that are empty are left out.

    Raises:
        ConfigRefused: a row has more or fewer fields than the head, or is no CSV.
    """
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), delimiter=delimiter)
    head: list[str] | None = None
    try:
        for row in reader:
            if head is None:
                head = row
            elif len(row) != len(head):
                if row:
                    why = f"line {reader.line_num} has {len(row)} fields, the head has {len(head)}"
                    raise ConfigRefused(f"The CSV cannot be read: {why}.")
            else:
                yield dict(zip(head, row, strict=True))
    except csv.Error as error:
        raise ConfigRefused(f"The CSV cannot be read: line {reader.line_num}: {error}.") from None


def _braces(pattern: str) -> Iterator[str]:
    """`{a,b}` stands for both."""
    found = re.search(r"{([^{}]*,[^{}]*)}", pattern)
    if found is None:
        yield pattern
        return
    for choice in found[1].split(","):
        yield from _braces(pattern[: found.start()] + choice + pattern[found.end() :])


def _backwards(path: Path) -> list[tuple[int, list[int]]]:
    """Of each step down: a file comes before a folder, and what is later in the order of bytes comes first."""
    last = len(path.parts) - 1
    return [(at != last, [-ord(letter) for letter in part] + [1]) for at, part in enumerate(path.parts)]


def _is_hidden(path: Path, top: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(top).parts)
