"""Reads a folder of documents; every file in it becomes documents, or is named with the reason why not."""

import codecs
import csv
import io
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from watchkeeper.releases.html_text import text_of_html

FILES_MAX = 20_000
"""Of one folder and all below it; further ones are left out."""
FILE_BYTES_MAX = 8 << 20
DOCUMENTS_MAX = 20_000
TEXT_LETTERS_MAX = 10 << 20
"""Of all documents together; what does not fit is left out, the last in order of their names."""
ID_LETTERS_MAX = 500
TITLE_LETTERS_MAX = 200

_PLAIN = frozenset({".md", ".markdown", ".txt", ".text", ".rst"})
_PAGES = frozenset({".html", ".htm"})
_RECORDS = frozenset({".json", ".jsonl", ".ndjson", ".csv"})
_TEXT_FIELDS = ("text", "content", "body")
_TITLE_FIELDS = ("title", "name")
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""A file may begin with what says its encoding."""


class Document(Struct, frozen=True):
    """Something that can be found."""

    id: str
    """Path below the folder, with `/`; of a record, `#` and its own id or number behind it."""
    title: str
    text: str
    """Headings are lines that begin with `#`, as in Markdown."""


class LeftOut(Struct, frozen=True):
    """A file, or a part of one, that no document was made of."""

    path: str
    reason: str


class Folder(Struct, frozen=True):
    """What a folder holds, in order of names."""

    documents: list[Document]
    left_out: list[LeftOut]


class _Unreadable(Exception):
    """No document can be made of a file; the message says why."""


def read_folder(root: Path) -> Folder:
    """Read every file below a folder. Links are not followed, and what is hidden is not looked into.

    Raises:
        OSError: the folder itself cannot be read.
    """
    found = _Reading(root)
    for path in _files(root, found.left_out):
        found.read(path)
    return Folder(found.documents, sorted(found.left_out, key=lambda one: one.path))


class _Reading:
    def __init__(self, root: Path) -> None:
        self._root = root
        self._ids: set[str] = set()
        self._letters = 0
        self.documents: list[Document] = []
        self.left_out: list[LeftOut] = []

    def read(self, path: Path) -> None:
        """Add a file's documents, or the reason why there are none."""
        name = _name(path, self._root)
        try:
            text = _text(path)
            suffix = path.suffix.lower()
            if suffix in _RECORDS:
                self._add_records(name, _records(text, suffix))
            else:
                self._add(name, _page(text, path.stem) if suffix in _PAGES else _plain(text, path.stem))
        except _Unreadable as trouble:
            self.left_out.append(LeftOut(name, str(trouble)))

    def _add_records(self, name: str, records: Iterator[Any]) -> None:
        count = 0
        for count, record in enumerate(records, 1):
            if isinstance(record, _Unreadable):
                self.left_out.append(LeftOut(f"{name}#{count}", str(record)))
                continue
            try:
                own = record.get("id") if isinstance(record, dict) else None
                place = own if isinstance(own, str | int) and not isinstance(own, bool) and own != "" else count
                self._add(f"{name}#{place}", _record(record))
            except _Unreadable as trouble:
                self.left_out.append(LeftOut(f"{name}#{count}", str(trouble)))
        if not count:
            raise _Unreadable("holds no records")

    def _add(self, id_: str, titled: tuple[str, str]) -> None:
        title, text = titled
        if not text.strip():
            raise _Unreadable("is empty")
        if len(id_) > ID_LETTERS_MAX:
            raise _Unreadable(f"has a name of more than {ID_LETTERS_MAX} letters")
        if id_ in self._ids:
            raise _Unreadable(f"has an id that another record has: {id_}")
        if len(self.documents) >= DOCUMENTS_MAX:
            raise _Unreadable(f"comes after {DOCUMENTS_MAX} documents, which is as many as a version may have")
        if self._letters + len(text) > TEXT_LETTERS_MAX:
            raise _Unreadable(f"does not fit: the documents together may have {TEXT_LETTERS_MAX} letters")
        self._ids.add(id_)
        self._letters += len(text)
        self.documents.append(Document(id_, " ".join(title.split())[:TITLE_LETTERS_MAX], text))


def _files(root: Path, left_out: list[LeftOut]) -> Iterator[Path]:
    """Yield the regular files below a folder in order of their names, at most `FILES_MAX`."""
    count = 0
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            if folder is root:
                raise
            left_out.append(LeftOut(_name(folder, root), f"cannot be read: {error.strerror}"))
            continue
        deeper: list[Path] = []
        for entry in entries:
            path = Path(entry.path)
            if reason := _not_looked_at(entry):
                left_out.append(LeftOut(_name(path, root), reason))
            elif entry.is_dir(follow_symlinks=False):
                deeper.append(path)
            elif count >= FILES_MAX:
                left_out.append(
                    LeftOut(_name(path, root), f"comes after {FILES_MAX} files, which is as many as are read")
                )
            else:
                count += 1
                yield path
        waiting += reversed(deeper)


def _not_looked_at(entry: os.DirEntry[str]) -> str:
    if entry.name.startswith("."):
        return "is hidden"
    if entry.is_symlink():
        return "is a link, and links are not followed"
    if not entry.is_dir(follow_symlinks=False) and not entry.is_file(follow_symlinks=False):
        return "is neither a file nor a folder"
    return ""


def _text(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix not in _PLAIN | _PAGES | _RECORDS:
        advice = "; convert it to text first" if suffix in (".pdf", ".docx", ".doc", ".odt", ".epub") else ""
        raise _Unreadable(f"is of a kind that is not read ({suffix or 'no suffix'}){advice}")
    try:
        with path.open("rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise _Unreadable("is not a file any more")
            data = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise _Unreadable(f"cannot be read: {error.strerror}") from error
    if len(data) > FILE_BYTES_MAX:
        raise _Unreadable(f"is larger than {FILE_BYTES_MAX >> 20} MiB")
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), "utf-8")
    if encoding != "utf-16" and b"\0" in data:
        raise _Unreadable("is binary, not text")
    try:
        return data.decode(encoding).replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    except UnicodeDecodeError as error:
        raise _Unreadable(
            f"is not {encoding.removesuffix('-sig').upper()} text: byte {error.start} is wrong"
        ) from error


def _plain(text: str, name: str) -> tuple[str, str]:
    """Its first line is the title where that is a heading."""
    first = text.lstrip().partition("\n")[0]
    return (first.lstrip("#").strip() if first.startswith("#") else name), text


def _page(text: str, name: str) -> tuple[str, str]:
    page = text_of_html(text)
    return page.title or name, page.text


def _records(text: str, suffix: str) -> Iterator[Any]:
    """Yield the records of a file; in the place of one that cannot be read, the reason."""
    if suffix == ".csv":
        try:
            yield from csv.DictReader(io.StringIO(text), strict=True)
        except csv.Error as error:
            yield _Unreadable(f"is not CSV from here on: {error}")
        return
    if suffix == ".json":
        try:
            found = msgspec.json.decode(text)
        except (msgspec.DecodeError, RecursionError) as error:
            raise _Unreadable(f"is not JSON: {error}") from error
        yield from found if isinstance(found, list) else [found]
        return
    for line in text.split("\n"):
        if line.strip():
            try:
                yield msgspec.json.decode(line)
            except (msgspec.DecodeError, RecursionError) as error:
                yield _Unreadable(f"is not JSON: {error}")


def _record(record: Any) -> tuple[str, str]:
    """Its text is the field of that name, or else all of its fields, each on a line."""
    if isinstance(record, str):
        return record.strip().partition("\n")[0], record
    if not isinstance(record, dict):
        raise _Unreadable("is not an object with fields")
    title = next((str(record[name]) for name in _TITLE_FIELDS if record.get(name)), "")
    text = next((record[name] for name in _TEXT_FIELDS if isinstance(record.get(name), str)), None)
    if text is None:
        text = "\n".join(f"{name}: {_written(value)}" for name, value in record.items() if value not in (None, "", []))
    return title or text.strip().partition("\n")[0], text


def _written(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _name(path: Path, root: Path) -> str:
    """A name that is no text is shown with what stands for its bytes."""
    return path.relative_to(root).as_posix().encode("utf-8", "replace").decode()
