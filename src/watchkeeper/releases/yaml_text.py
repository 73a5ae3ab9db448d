"""Writes a recipe as YAML that people like to read, and changes one that is there without touching the rest of it."""

import json
from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

import yaml

from watchkeeper.config import document
from watchkeeper.releases.comparing import same

FLOW_MAX = 96
"""Characters of a mapping or list that is written on one line."""
WIDTH = 10_000
"""Texts are not broken where they have no line break."""


class _Top(dict[str, Any]):
    """A mapping whose key stands at the beginning of a line."""


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        """Write everything out: what is the same twice is no reference."""
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Indent lists in mappings."""
        super().increase_indent(flow, False)


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


def _mapping(dumper: yaml.SafeDumper, data: dict[str, Any]) -> yaml.Node:
    is_flow = not isinstance(data, _Top) and _fits_a_line(data)
    return dumper.represent_mapping("tag:yaml.org,2002:map", data.items(), flow_style=is_flow)


def _sequence(dumper: yaml.SafeDumper, data: list[Any]) -> yaml.Node:
    is_short = _fits_a_line(data) and not any(isinstance(item, dict) for item in data)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=is_short)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(dict, _mapping)
_Dumper.add_representer(_Top, _mapping)
_Dumper.add_representer(list, _sequence)


def written(data: dict[str, Any]) -> str:
    """Write a recipe; read again it is the same."""
    text = "".join(_section(key, value) for key, value in data.items())
    if _reads_as(text, data):
        return text
    # A few letters are lost in some places; written as numbers they are not.
    return str(yaml.safe_dump(data, sort_keys=False, allow_unicode=False, width=WIDTH))


def edited(text: str, data: dict[str, Any]) -> str:
    """Write a recipe into the text of an earlier one: only sections that changed are written anew.

    Comments in what did not change stay, and so does its form. A text that says the same already stays as it is.
    """
    found = document.read(text.encode())
    if not isinstance(found.data, dict) or found.faults:
        return written(data)
    if same(found.data, data):
        return text
    data = _in_order_of(found.data, data)
    spans = dict(_sections(text))
    if set(spans) != set(found.data):
        return written(data)
    lines = text.splitlines(keepends=True)
    lines[-1] += "" if lines[-1].endswith("\n") else "\n"
    for key, (start, stop) in sorted(spans.items(), key=lambda item: -item[1][0]):
        if key not in data:
            lines[start:stop] = []
        elif not same(data[key], found.data[key]):
            lines[start:stop] = [_section(key, data[key])]
    lines += [_section(key, value) for key, value in data.items() if key not in spans]
    changed = "".join(lines)
    return changed if _reads_as(changed, data) else written(data)


def _in_order_of(old: Any, new: Any) -> Any:
    """The same with its keys in the order of an earlier text, as far as that had them."""
    match old, new:
        case dict(), dict():
            keys = dict.fromkeys((*(key for key in old if key in new), *new))
            return {key: _in_order_of(old.get(key), new[key]) for key in keys}
        case list(), list():
            return [_in_order_of(one, other) for one, other in zip_longest(old[: len(new)], new)]
        case _:
            return new


def _section(key: str, value: Any) -> str:
    return yaml.dump(
        _Top({key: value}), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=WIDTH, default_flow_style=False
    )


def _sections(text: str) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yield each key at the top with its first line and the one behind its last, comments behind it left out."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if not isinstance(root, yaml.MappingNode) or root.flow_style:
        return
    lines = text.splitlines()
    starts = [key.start_mark.line for key, _ in root.value]
    for (key, _), start, stop in zip(root.value, starts, [*starts[1:], len(lines)], strict=True):
        while stop > start + 1 and (not lines[stop - 1].strip() or lines[stop - 1].startswith("#")):
            stop -= 1
        yield str(key.value), (start, stop)


def _reads_as(text: str, data: dict[str, Any]) -> bool:
    found = document.read(text.encode())
    return not found.faults and isinstance(found.data, dict) and same(found.data, data)


def _fits_a_line(value: Any) -> bool:
    """Tell whether a value is short and has nothing deep in it."""
    items = value.values() if isinstance(value, dict) else value
    is_flat = not any(isinstance(item, (dict, list)) and item for item in items)
    return is_flat and len(json.dumps(value)) <= FLOW_MAX and not any("\n" in str(item) for item in items)
