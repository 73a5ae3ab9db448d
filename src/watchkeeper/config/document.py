"""Reads YAML into plain data and remembers the line of every key and value.

Only the safe part of YAML is read. A key may not occur twice in one mapping, and what aliases unfold to is bounded.
"""

from dataclasses import dataclass, field
from typing import Any

import yaml

from watchkeeper.config.problems import Place

BYTES_MAX = 1024 * 1024
VALUES_MAX = 50_000
"""Keys and values of one file, those that aliases repeat counted each time."""
DEPTH_MAX = 20


@dataclass(slots=True)
class Document:
    """The content of a file."""

    data: Any = None
    lines: dict[Place, int] = field(default_factory=dict[Place, int])
    """Line of each value, and of the key that names it where there is one; counted from 1."""
    faults: list[tuple[int | None, Place, str]] = field(default_factory=list[tuple[int | None, Place, str]])
    """What could not be read, as (line, place, message)."""

    def line(self, place: Place) -> int | None:
        """Return the line of a value, or of the nearest thing around it."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place)


def read(text: bytes) -> Document:
    """Read a file's bytes; what is wrong with it stands in `faults`, and the rest is still read."""
    document = Document()
    if len(text) > BYTES_MAX:
        document.faults.append((None, (), f"the file is larger than {BYTES_MAX // 1024} KiB"))
        return document
    try:
        root = yaml.compose(text.decode("utf-8"), Loader=yaml.SafeLoader)
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        document.faults.append((line, (), "the file is not UTF-8 text"))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        words = ", ".join(part for part in (error.context, error.problem) if part)
        document.faults.append((mark.line + 1 if mark else None, (), f"not YAML: {words}"))
    except yaml.YAMLError as error:
        document.faults.append((None, (), f"not YAML: {error}"))
    except RecursionError:
        document.faults.append((None, (), _TOO_DEEP))
    else:
        _Builder(document).build(root)
    return document


_TOO_DEEP = f"values are nested more than {DEPTH_MAX} deep"


class _Stop(Exception):
    """Nothing more can be read."""


class _Builder:
    """Turns YAML nodes into data. Aliases are followed each time they occur, so the work is counted."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._scalars = yaml.constructor.SafeConstructor()
        self._values = 0

    def build(self, root: yaml.Node | None) -> None:
        try:
            self._document.data = {} if root is None else self._value(root, ())
        except _Stop:
            self._document.data = None

    def _value(self, node: yaml.Node, place: Place) -> Any:
        self._values += 1
        line = node.start_mark.line + 1
        self._document.lines.setdefault(place, line)
        if len(place) > DEPTH_MAX:
            self._fault(line, place[:3], _TOO_DEEP)
            raise _Stop
        if self._values > VALUES_MAX:
            self._fault(line, place, f"the file unfolds to more than {VALUES_MAX} values")
            raise _Stop
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, place)
        if isinstance(node, yaml.SequenceNode):
            return [self._value(item, (*place, index)) for index, item in enumerate(node.value)]
        return self._scalar(node, place)

    def _mapping(self, node: yaml.MappingNode, place: Place) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                self._fault(line, place, "a key must be plain text")
                continue
            key = str(key_node.value)
            if key_node.tag == "tag:yaml.org,2002:merge":
                self._fault(line, place, "merge keys (`<<`) are not read; write the values out or repeat an alias")
            elif key in found:
                first = self._document.lines[(*place, key)]
                self._fault(line, (*place, key), f"the key occurs twice; first on line {first}")
            else:
                self._document.lines[(*place, key)] = line
                found[key] = self._value(value_node, (*place, key))
        return found

    def _scalar(self, node: yaml.Node, place: Place) -> Any:
        try:
            return self._scalars.construct_object(node)
        except (yaml.YAMLError, ValueError):
            self._fault(
                node.start_mark.line + 1,
                place,
                f"cannot be read as {node.tag.removeprefix('tag:yaml.org,2002:')}; quote it",
            )
            return ""

    def _fault(self, line: int, place: Place, message: str) -> None:
        self._document.faults.append((line, place, message))
