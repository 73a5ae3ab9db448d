"""Reads the folder of one feature: `release.yaml`, the files that it names, and what the folder was made from.

prompts/
  shared/tone.md
  support/release.yaml              messages, blocks and schemas may stand in files beside it
  support/system.md
  support/answer.schema.json
  support/.watchkeeper-release      written by push and pull; belongs into version control
"""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from watchkeeper.config import document
from watchkeeper.config.document import Document
from watchkeeper.config.problems import Place, Problem, dotted
from watchkeeper.core.errors import CallerError
from watchkeeper.releases import files
from watchkeeper.releases.authoring import Authored
from watchkeeper.releases.checking import Mistake
from watchkeeper.releases.files import FileRefused

RECIPE_FILE = "release.yaml"
STATE_FILE = ".watchkeeper-release"
FOLDERS_MAX = 2_000

BlockText = Callable[[str], str | None]
"""Gives the text of a shared block by its id; None when there is none."""


class FolderRefused(CallerError):
    """A folder holds no recipe; `problems` names every mistake with its file and line."""

    code = "folder_refused"

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class MadeFrom(msgspec.Struct, frozen=True):
    """What a folder was made from."""

    release: str
    files: dict[str, str] = {}
    """Hash of each file as it was then, by its path from the folder's own."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A part of the recipe that stands elsewhere."""

    written: Any
    """As `release.yaml` says it."""
    path: str = ""
    """From the folder of prompts; empty for a block that is named by id."""


@dataclass(frozen=True, slots=True)
class Folder:
    """The folder of one feature."""

    root: Path
    """Folder of prompts: nothing outside it is read."""
    name: str
    """Path from there to the folder."""
    text: str
    """Of `release.yaml`."""
    document: Document
    """The same, as data with lines; references are not followed."""
    authored: Authored
    """The recipe with every reference followed."""
    references: dict[Place, Reference] = field(default_factory=dict[Place, Reference])
    made_from: MadeFrom | None = None

    @property
    def feature(self) -> str:
        """As the recipe says."""
        return str(self.authored.get("feature", ""))

    def problem(self, mistake: Mistake) -> Problem:
        """Say where a mistake stands: in `release.yaml`, with its line, or in the file that it names."""
        where, message = self.root / self.name / RECIPE_FILE, mistake.message
        for place, reference in self.references.items():
            if reference.path and _is_within(mistake.place, dotted(place)):
                return Problem(self.root / reference.path, None, (mistake.place,), message)
        lines = {dotted(place): line for place, line in self.document.lines.items()}
        around = max((place for place in lines if _is_within(mistake.place, place)), key=len, default="")
        return Problem(where, lines.get(around), (mistake.place,) if mistake.place else (), message)

    def hashes(self) -> dict[str, str]:
        """Return the hash of every file the recipe stands in, by its path from the folder of prompts."""
        paths = {reference.path for reference in self.references.values() if reference.path}
        return {
            path: hashlib.sha256(files.read_bytes(self.root, path)).hexdigest()
            for path in sorted({f"{self.name}/{RECIPE_FILE}", *paths})
        }


def find_folders(given: Path) -> tuple[Path, list[str]]:
    """Return the folder of prompts and the folders of features in it: the given one itself, or those below it.

    Raises:
        FolderRefused: there are none, or too many.
    """
    path = given if given.name not in ("", "..") else given.resolve()
    if (path / RECIPE_FILE).exists():
        return path.parent, [path.name]
    if not path.is_dir():
        raise FolderRefused([Problem(given, None, (), "is not a folder")])
    found = sorted(inner.name for inner in path.iterdir() if (inner / RECIPE_FILE).exists())
    if not found:
        why = f"has no {RECIPE_FILE}, nor has a folder in it; `watchkeeper release new FEATURE` writes a first one"
        raise FolderRefused([Problem(given, None, (), why)])
    if len(found) > FOLDERS_MAX:
        raise FolderRefused([Problem(given, None, (), f"holds more than {FOLDERS_MAX} features")])
    return path, found


def read_folder(root: Path, name: str, block_text: BlockText) -> Folder:
    """Read a folder; what its recipe says is not judged yet.

    Args:
        root: The folder of prompts.
        name: Of the folder in it.
        block_text: For blocks that are named by id.

    Raises:
        FolderRefused: a file cannot be read, or is none that may be.
    """
    where = root / name / RECIPE_FILE
    try:
        text = files.read_bytes(root, f"{name}/{RECIPE_FILE}")
    except (FileRefused, OSError) as error:
        raise FolderRefused([Problem(where, None, (), _why(error))]) from None
    found = document.read(text)
    problems = [Problem(where, line, place, message) for line, place, message in found.faults]
    if not isinstance(found.data, dict):
        raise FolderRefused(problems or [Problem(where, None, (), "must be a mapping")])
    reading = _Reading(root, name, block_text)
    whole = reading.followed(found.data)
    problems += [Problem(where, found.line(place), place, message) for place, message in reading.faults]
    if problems:
        raise FolderRefused(problems)
    return Folder(root, name, text.decode(), found, whole, reading.references, read_made_from(root, name))


def read_made_from(root: Path, name: str) -> MadeFrom | None:
    """Return what a folder was made from; None where nothing says so."""
    try:
        return msgspec.json.decode(files.read_bytes(root, f"{name}/{STATE_FILE}"), type=MadeFrom)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def write_made_from(folder: Folder, release: str) -> None:
    """Remember what a folder is made from."""
    made_from = MadeFrom(release, folder.hashes())
    text = msgspec.json.format(msgspec.json.encode(made_from), indent=1).decode()
    if files.fits_a_file(text) and made_from != folder.made_from:
        files.write_text(folder.root, f"{folder.name}/{STATE_FILE}", text)


class _Reading:
    """Follows the references of one recipe."""

    def __init__(self, root: Path, name: str, block_text: BlockText) -> None:
        self._root = root
        self._name = name
        self._block_text = block_text
        self.references: dict[Place, Reference] = {}
        self.faults: list[tuple[Place, str]] = []

    def followed(self, data: Authored) -> Authored:
        """Copy a recipe with what it names in its place."""
        whole = dict(data)
        for key, value in data.items():
            match key, value:
                case "messages", list():
                    whole[key] = [self._message((key, index), item) for index, item in enumerate(value)]
                case "tools", list():
                    whole[key] = [self._tool((key, index), item) for index, item in enumerate(value)]
                case "blocks", dict():
                    whole[key] = {name: self._block((key, name), item) for name, item in value.items()}
                case "output", {"schema": str() | {"file": _}}:
                    whole[key] = {**value, "schema": self._schema((key, "schema"), value["schema"])}
                case _:
                    pass
        return whole

    def _message(self, place: Place, item: Any) -> Any:
        match item:
            case {"content": {"file": str(name), **rest} as written} if not rest:
                return {**item, "content": self._text((*place, "content"), name, written)}
            case _:
                return item

    def _tool(self, place: Place, item: Any) -> Any:
        match item:
            case {"parameters": {"file": str(), **rest} as written} if not rest:
                return {**item, "parameters": self._schema((*place, "parameters"), written)}
            case _:
                return item

    def _block(self, place: Place, item: Any) -> Any:
        match item:
            case {"file": str(name), **rest} if not rest:
                return {"text": self._text(place, name, item)}
            case {"id": str(given), **rest} if not rest:
                text = self._block_text(given)
                if text is None:
                    self.faults.append(
                        (place, f"there is no block `{given[:60]}`; it comes with the release that has it")
                    )
                self.references[place] = Reference(item)
                return {"text": text or ""}
            case _:
                return item

    def _text(self, place: Place, name: str, written: Any) -> str:
        path = self._path(place, name, written)
        if path is None:
            return ""
        try:
            return files.read_text(self._root, path)
        except (FileRefused, OSError) as error:
            self.faults.append((place, _why(error, name)))
            return ""

    def _schema(self, place: Place, written: Any) -> Any:
        name = written["file"] if isinstance(written, dict) else written
        path = self._path(place, name, written) if isinstance(name, str) else None
        if path is None:
            return {}
        try:
            content = files.read_bytes(self._root, path)
            if path.endswith(".json"):
                return msgspec.json.decode(content)
        except (FileRefused, OSError) as error:
            self.faults.append((place, _why(error, name)))
            return {}
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            self.faults.append((place, f"the file {name} is not JSON: {error}"))
            return {}
        if not path.endswith((".yaml", ".yml")):
            self.faults.append((place, f"the file {name} must end with `.json` or `.yaml`"))
            return {}
        found = document.read(content)
        self.faults += [(place, f"the file {name}, line {line}: {message}") for line, _, message in found.faults]
        return found.data

    def _path(self, place: Place, name: str, written: Any) -> str | None:
        try:
            path = files.below(self._name, name)
        except FileRefused as error:
            self.faults.append((place, str(error)))
            return None
        self.references[place] = Reference(written, path)
        return path


def _is_within(place: str, around: str) -> bool:
    return place == around or place.startswith((f"{around}.", f"{around}[")) or not around


def _why(error: Exception, name: str = "") -> str:
    if isinstance(error, FileNotFoundError):
        return f"the file {name} is not there" if name else "is not there"
    return str(error) if isinstance(error, FileRefused) else f"cannot be read: {getattr(error, 'strerror', error)}"
