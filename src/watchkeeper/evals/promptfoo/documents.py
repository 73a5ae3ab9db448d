"""Reads YAML and JSON the way the JavaScript libraries behind promptfoo do, and remembers the lines.

YAML is version 1.2's core schema (`yes` and `on` are text) with dates and merge keys, as js-yaml has it. A number
without a fraction is whole, however it is written, since JavaScript has one kind of number.
"""

import json
import math
import re
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import yaml

from watchkeeper.config.document import Document
from watchkeeper.config.problems import Place
from watchkeeper.evals.promptfoo.errors import ConfigRefused

FILE_BYTES_MAX = 256 * 1024 * 1024
VALUES_MAX = 5_000_000
"""Of one file."""
REPEATED_MAX = 200_000
"""Values that aliases or references give another time."""
DEPTH_MAX = 100

_TAG = "tag:yaml.org,2002:"
_WHOLE_MAX = 2**53


class _Loader(yaml.CSafeLoader):
    """Resolves plain scalars as js-yaml 4 does."""


_Loader.yaml_implicit_resolvers = {}


def _resolve(tag: str, pattern: str, first: str) -> None:
    _Loader.add_implicit_resolver(_TAG + tag, re.compile(pattern), list(first))


_resolve("null", r"^(?:~|null|Null|NULL|)$", "~nN\0")
_Loader.add_implicit_resolver(_TAG + "null", re.compile(r"^$"), [""])
_resolve("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF")
_resolve(
    "int", r"^[-+]?(?:0b[01_]*[01]|0x[0-9a-fA-F_]*[0-9a-fA-F]|0o[0-7_]*[0-7]|[0-9](?:[0-9_]*[0-9])?)$", "-+0123456789"
)
_resolve(
    "float",
    r"^(?:[-+]?[0-9][0-9_]*(?:\.[0-9_]*)?(?:[eE][-+]?[0-9]+)?(?<!_)|\.[0-9_]+(?:[eE][-+]?[0-9]+)?(?<!_)"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$",
    "-+0123456789.",
)
_resolve("merge", r"^<<$", "<")
_resolve(
    "timestamp",
    r"^(?:[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt]|[ \t]+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}"
    r"(?:\.[0-9]*)?(?:[ \t]*(?:Z|[-+][0-9]{1,2}(?::[0-9]{2})?))?)$",
    "0123456789",
)


def read_file(path: Path) -> str:
    """Return a file's text.

    Raises:
        ConfigRefused: it is not there, too large, or not UTF-8.
    """
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise ConfigRefused(f"{path} is larger than {FILE_BYTES_MAX // 1024**2} MiB; nothing of it was read.")
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise ConfigRefused(f"{path} is not there.") from None
    except UnicodeDecodeError as error:
        raise ConfigRefused(f"{path} is not UTF-8 text (byte {error.start}).") from None
    except OSError as error:
        raise ConfigRefused(f"{path} cannot be read: {error.strerror}.") from None


def read_yaml(text: str) -> Document:
    """Read YAML, or JSON, which is part of it; `faults` says what could not be read."""
    document = Document()
    try:
        root = yaml.compose(text, Loader=_Loader)
        document.data = None if root is None else _Builder(document).value(root, ())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        words = ", ".join(part for part in (error.context, error.problem) if part)
        document.faults.append((mark.line + 1 if mark else None, (), f"not YAML: {words}"))
    except (yaml.YAMLError, RecursionError) as error:
        document.faults.append((None, (), f"not YAML: {error}"))
    return document


def load(path: Path) -> Document:
    """Read a YAML or JSON file.

    Raises:
        ConfigRefused: it cannot be read, with the line.
    """
    document = read_yaml(read_file(path))
    if document.faults:
        line, _, message = document.faults[0]
        raise ConfigRefused(f"{path}{f':{line}' if line else ''}: {message}")
    return document


def read_json(text: str) -> Any:
    """Read JSON as JavaScript does. Raises ValueError."""
    return json.loads(text, parse_float=_number, parse_constant=_refuse)


def write_json(value: Any, indent: int | None = None) -> str:
    """Write JSON as `JSON.stringify` does: no spaces unless indented, no escapes beyond the necessary."""
    separators = (",", ": ") if indent else (",", ":")
    return json.dumps(_finite(value), ensure_ascii=False, indent=indent, separators=separators, default=str)


def as_text(value: Any) -> str:
    """Return what JavaScript's `String(value)` gives; objects and lists as JSON, which is what promptfoo shows."""
    match value:
        case str():
            return value
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return write_json(value)
        case _:
            return write_json(value)


def follow_references(data: Any, folder: Path) -> Any:
    """Replace each `{$ref: ...}` by what it points at: `#/KEY/KEY` in the same data, or `FILE#/KEY`.

    Other keys beside `$ref` are laid over what it points at. What stands below `parameters` of tools and functions is
    a JSON schema of its own and left alone.

    Raises:
        ConfigRefused: a reference points at nothing, or at itself.
    """
    return _References(data, folder).followed(data, ())


class _References:
    def __init__(self, root: Any, folder: Path) -> None:
        self._root = root
        self._folder = folder
        self._repeated = 0

    def followed(self, value: Any, under: tuple[str, ...]) -> Any:
        self._repeated += bool(under)
        if self._repeated > REPEATED_MAX:
            raise ConfigRefused(f"The references unfold to more than {REPEATED_MAX:,} values.")
        if isinstance(value, list):
            return [self.followed(item, under) for item in value]
        if not isinstance(value, dict):
            return value
        reference = value.get("$ref")
        if not isinstance(reference, str):
            return {key: item if key == "parameters" else self.followed(item, under) for key, item in value.items()}
        if reference in under:
            raise ConfigRefused(f"The reference {reference} leads back to itself.")
        found = self.followed(self._found(reference), (*under, reference))
        rest = {key: self.followed(item, under) for key, item in value.items() if key != "$ref"}
        return {**found, **rest} if rest and isinstance(found, dict) else found

    def _found(self, reference: str) -> Any:
        name, _, pointer = reference.partition("#")
        at = self._root if not name else load(self._folder / name).data
        for step in (part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]):
            if isinstance(at, dict) and step in at:
                at = at[step]
            elif isinstance(at, list) and step.isdecimal() and int(step) < len(at):
                at = at[int(step)]
            else:
                raise ConfigRefused(f"The reference {reference} points at nothing: there is no `{step}`.")
        return at


class _Builder:
    """Turns nodes into data."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._values = 0
        self._repeated = 0
        self._seen: set[int] = set()
        self._scalars: dict[str, Callable[[str], Any]] = {
            "null": lambda text: None,
            "bool": lambda text: text.lower() == "true",
            "int": _whole,
            "float": _float,
            "timestamp": _moment,
        }

    def value(self, node: yaml.Node, place: Place) -> Any:
        self._values += 1
        self._repeated += id(node) in self._seen
        self._seen.add(id(node))
        if self._values > VALUES_MAX or self._repeated > REPEATED_MAX or len(place) > DEPTH_MAX:
            raise yaml.YAMLError("it unfolds to too many values, or nests too deep")
        self._document.lines.setdefault(place, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, place)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*place, index)) for index, item in enumerate(node.value)]
        convert = self._scalars.get(node.tag.removeprefix(_TAG), str)
        return convert(str(node.value))

    def _mapping(self, node: yaml.MappingNode, place: Place) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        own: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if key_node.tag == _TAG + "merge":
                found = self.value(value_node, place)
                for each in reversed(found if isinstance(found, list) else [found]):
                    merged.update(each if isinstance(each, dict) else {})
                continue
            # JavaScript's keys are texts; written as JSON, keys within keys would double with each level.
            is_plain = isinstance(key_node, yaml.ScalarNode)
            key = as_text(self.value(key_node, place)) if is_plain else "[object Object]"
            if key in own:
                line = key_node.start_mark.line + 1
                self._document.faults.append((line, (*place, key), f"the key `{key}` occurs twice"))
            self._document.lines[(*place, key)] = key_node.start_mark.line + 1
            own[key] = self.value(value_node, (*place, key))
        return {**own, **{key: value for key, value in merged.items() if key not in own}}


def _whole(text: str) -> int:
    plain = text.replace("_", "").lower()
    sign = -1 if plain.startswith("-") else 1
    digits = plain.lstrip("+-")
    base = {"0b": 2, "0x": 16, "0o": 8}.get(digits[:2], 10)
    return sign * int(digits[2:] if base != 10 else digits, base)


def _float(text: str) -> int | float:
    plain = text.replace("_", "").lower()
    return _number(plain.replace(".inf", "inf").replace(".nan", "nan"))


def _number(text: str) -> int | float:
    value = float(text)
    return int(value) if value.is_integer() and abs(value) < _WHOLE_MAX else value


def _moment(text: str) -> str:
    """As a JavaScript date is written in JSON."""
    try:
        found = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError):
        return text
    if isinstance(found, datetime):
        aware = found.isoformat(timespec="milliseconds")
        return f"{aware.removesuffix('+00:00')}Z"
    return f"{found.isoformat()}T00:00:00.000Z" if isinstance(found, date) else text


def _refuse(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")


def _finite(value: Any) -> Any:
    """JavaScript writes numbers that are none as null, and whole ones without a fraction."""
    match value:
        case float() if not math.isfinite(value):
            return None
        case float() if value.is_integer() and abs(value) < 1e21:
            return int(value)
        case dict():
            return {as_text(key): _finite(item) for key, item in value.items()}
        case list() | tuple():
            return [_finite(item) for item in value]
        case _:
            return value
