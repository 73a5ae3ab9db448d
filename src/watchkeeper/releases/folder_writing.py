"""Writes a recipe into a folder: into the files that hold its parts already, and nothing that is right is touched."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from watchkeeper.releases import files, yaml_text
from watchkeeper.releases.authored import DEPTH_MAX
from watchkeeper.releases.authoring import Authored
from watchkeeper.releases.comparing import same
from watchkeeper.releases.files import FileRefused
from watchkeeper.releases.folder import RECIPE_FILE, Folder, Reference
from watchkeeper.releases.recipe import block_id

INLINE_MAX = 120
"""Characters of a message that a new folder keeps in `release.yaml`; longer ones get files."""


def write_folder(root: Path, name: str, recipe: Authored, *, old: Folder | None = None) -> list[str]:
    """Have a folder hold a recipe; return the files that were written, as paths from the folder of prompts.

    Args:
        root: The folder of prompts.
        name: Of the folder in it.
        recipe: With every reference followed.
        old: The folder as it was read, where there is one.

    Raises:
        FileRefused: something stands in the way; what was written before it stays.
    """
    writing = _Writing(root, name, old)
    raw = writing.with_references(recipe)
    before = "" if old is None else old.text
    text = yaml_text.edited(before, raw) if old is not None else yaml_text.written(raw)
    if text != before:
        writing.texts[f"{name}/{RECIPE_FILE}"] = text.removesuffix("\n")
    for path, content in writing.texts.items():
        files.write_text(root, path, content)
    return list(writing.texts)


@dataclass(slots=True)
class _Writing:
    root: Path
    name: str
    old: Folder | None
    texts: dict[str, str] = field(default_factory=dict[str, str])
    """What is to be written, by path from the folder of prompts."""
    _taken: set[str] = field(default_factory=set[str])

    def with_references(self, recipe: Authored) -> Authored:
        """Return what `release.yaml` is to say, and note what goes into other files."""
        raw = dict(recipe)
        self._taken = {reference.path for reference in self._references().values()}
        if "messages" in raw:
            raw["messages"] = list(self._messages(raw["messages"]))
        if "tools" in raw:
            raw["tools"] = [self._tool(index, tool) for index, tool in enumerate(raw["tools"])]
        if "blocks" in raw:
            raw["blocks"] = {name: self._block(name, block) for name, block in raw["blocks"].items()}
        if "schema" in raw.get("output", {}):
            raw["output"] = raw["output"] | {"schema": self._output_schema(raw["output"]["schema"])}
        return raw

    def _references(self) -> dict[Any, Reference]:
        return {} if self.old is None else self.old.references

    def _messages(self, messages: list[Authored]) -> Iterator[Authored]:
        held = self._texts_held(messages)
        for index, message in enumerate(messages):
            text = message.get("content", "")
            if index in held and files.fits_a_file(text):
                yield message | {"content": self._kept(held[index], text)}
            elif self.old is None and (len(text) > INLINE_MAX or "\n" in text) and files.fits_a_file(text):
                yield message | {"content": {"file": self._new(f"{message['role']}.md", text)}}
            else:
                yield message

    def _texts_held(self, messages: list[Authored]) -> dict[int, Reference]:
        """Find the file of each message: that of the same text, wherever it stood, else that of its role."""
        old = [] if self.old is None else self.old.authored["messages"]
        left = {place[1]: reference for place, reference in self._references().items() if place[0] == "messages"}
        held: dict[int, Reference] = {}
        for index, message in enumerate(messages):
            number = next((number for number in left if same(old[number], message)), None)
            if number is not None:
                held[index] = left.pop(number)
        for index, message in enumerate(messages):
            alike = [number for number in left if old[number]["role"] == message["role"]]
            if index not in held and alike:
                held[index] = left.pop(index if index in alike else alike[0])
        return held

    def _tool(self, index: int, tool: Authored) -> Authored:
        reference = self._references().get(("tools", index, "parameters"))
        if reference is not None:
            return tool | {"parameters": self._schema_kept(reference, tool["parameters"])}
        if _depth(tool["parameters"]) > DEPTH_MAX:
            return tool | {"parameters": {"file": self._new(f"{tool['name']}.schema.json", _json(tool["parameters"]))}}
        return tool

    def _block(self, name: str, block: Authored) -> Authored:
        reference, text = self._references().get(("blocks", name)), block["text"]
        if reference is not None and not reference.path:
            return {"id": block_id(text)}
        if not files.fits_a_file(text):
            return block
        if reference is not None:
            return dict(self._kept(reference, text))
        return block if self.old is not None else {"file": self._new(f"blocks/{name}.md", text)}

    def _output_schema(self, schema: Any) -> Any:
        reference = self._references().get(("output", "schema"))
        if reference is not None:
            return self._schema_kept(reference, schema)
        is_inline = self.old is not None and "schema" in self.old.authored.get("output", {})
        return schema if is_inline and _depth(schema) <= DEPTH_MAX else self._new("answer.schema.json", _json(schema))

    def _kept(self, reference: Reference, text: str) -> Any:
        """Have the file that holds a text hold it as it is now."""
        try:
            is_right = files.read_text(self.root, reference.path) == text
        except FileNotFoundError:
            is_right = False
        if not is_right:
            self.texts[reference.path] = text
        return reference.written

    def _schema_kept(self, reference: Reference, schema: Any) -> Any:
        assert self.old is not None
        was = next(_at(self.old.authored, place) for place, one in self._references().items() if one is reference)
        if same(was, schema):
            return reference.written
        if not reference.path.endswith(".json"):
            return self._new("answer.schema.json", _json(schema))
        self.texts[reference.path] = _json(schema)
        return reference.written

    def _new(self, wanted: str, text: str) -> str:
        """Have a new file hold a text; return its path from the folder."""
        stem, dot, ending = wanted.partition(".")
        for number in range(1, 1_000):
            path = wanted if number == 1 else f"{stem}-{number}{dot}{ending}"
            full = f"{self.name}/{path}"
            if full not in self._taken and not (self.root / full).exists():
                self._taken.add(full)
                self.texts[full] = text
                return path
        raise FileRefused(f"{self.name}/{wanted} is not written: there are too many files of this name")


def _at(data: Any, place: Any) -> Any:
    for step in place:
        data = data[step]
    return data


def _json(schema: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(schema), indent=2).decode()


def _depth(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max(map(_depth, inner), default=-1) if isinstance(value, (dict, list)) else 0
