"""Cuts documents into passages, and names what they are by their content."""

import hashlib
import re
from collections.abc import Iterable, Iterator

from msgspec import Struct

from watchkeeper.releases.documents import Document

PASSAGE_LETTERS = 1_000
"""A passage has at most so many: about 250 tokens, four of which fit into any prompt."""
OVERLAP_LETTERS = 150
"""So much of a passage's end, cut at a word, begins the next one of the same section."""
PASSAGES_MAX = 100_000
"""Of one version: 100 MB of vectors, searched in some 10 ms."""
EMBEDDING = "wordllama-l2_supercat-256"
"""Which vectors `releases.embedding` makes; those of different names cannot be compared."""
VERSION_LETTERS = 12

_CUTTING = f"cut-1:{PASSAGE_LETTERS}:{OVERLAP_LETTERS}"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")
_HEADING = re.compile(r"(#{1,6})\s+(\S.*?)\s*#*\s*")
_FENCE = re.compile(r"\s*(```|~~~)")
_SENTENCE_END = re.compile(r"[.!?…][\"')\]]*\s|[\u3002\uff01\uff1f]")


class Passage(Struct, frozen=True):
    """A piece of a document, as it is found."""

    document: str
    """The document's id."""
    title: str
    """The document's title and the headings above, ` > ` between them."""
    text: str


def cut(document: Document) -> list[Passage]:
    """Cut a document at its headings, and its sections between paragraphs; long paragraphs at sentences or words.

    Every word of the document is in a passage, or in its title. Passages have at most `PASSAGE_LETTERS`; those of one
    section overlap.
    """
    return [
        Passage(document.id, " > ".join(dict.fromkeys(filter(None, (document.title, *headings)))), text)
        for headings, paragraphs in _sections(document.text)
        for text in _packed(paragraphs)
    ]


def embedded_text(passage: Passage) -> str:
    """Return what a passage is found by: its title counts as well."""
    return f"{passage.title}\n{passage.text}"


def content_hash(document: Document) -> str:
    """Name a document's content: 32 hex digits of its SHA-256."""
    return _hash([document.title, document.text])[:32]


def is_index_name(text: str) -> bool:
    """Tell whether a text can name a collection or a version: letters, digits, `.`, `_`, `-`, 60 at most."""
    return _NAME.fullmatch(text) is not None


def method_of(embedding: str) -> str:
    """Name the way in which documents become passages with vectors."""
    return f"{embedding}/{_CUTTING}"


def set_hash(hashes: Iterable[tuple[str, str]], method: str) -> str:
    """Name a set of documents, given as id and content hash each: the same set has the same name, in any order."""
    return _hash([method, *(part for pair in sorted(hashes) for part in pair)])


def _hash(parts: list[str]) -> str:
    found = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        found.update(len(data).to_bytes(8, "little") + data)
    return found.hexdigest()


def _sections(text: str) -> Iterator[tuple[tuple[str, ...], list[str]]]:
    """Yield the headings that stand above each section, and its paragraphs."""
    above: list[tuple[int, str]] = []
    lines: list[str] = []
    fence = ""
    for line in text.split("\n"):
        if mark := _FENCE.match(line):
            fence = "" if fence == mark[1] else fence or mark[1]
        heading = None if fence else _HEADING.fullmatch(line)
        if heading is None:
            lines.append(line)
            continue
        level = len(heading[1])
        yield from _section(above, lines, is_deeper=bool(above) and level > above[-1][0])
        above = [*(one for one in above if one[0] < level), (level, heading[2])]
        lines = []
    yield from _section(above, lines, is_deeper=False)


def _section(
    above: list[tuple[int, str]], lines: list[str], *, is_deeper: bool
) -> Iterator[tuple[tuple[str, ...], list[str]]]:
    """A heading with nothing below it is its own section, unless it stands above others."""
    paragraphs = [one.strip("\n") for one in re.split(r"\n[^\S\n]*\n", "\n".join(lines)) if one.strip()]
    if not paragraphs and above and not is_deeper:
        paragraphs = [above[-1][1]]
    if paragraphs:
        yield tuple(heading for _, heading in above), paragraphs


def _packed(paragraphs: list[str]) -> Iterator[str]:
    """Put paragraphs together as long as they fit; each passage after the first begins with the end of the last."""
    room = PASSAGE_LETTERS - OVERLAP_LETTERS - 2
    passage = ""
    is_new = False
    """Whether the passage holds more than the end of the one before."""
    for piece in (piece for paragraph in paragraphs for piece in _pieces(paragraph, room)):
        if is_new and len(passage) + 2 + len(piece) > PASSAGE_LETTERS:
            yield passage
            passage = _end_of(passage)
        passage = f"{passage}\n\n{piece}" if passage else piece
        is_new = True
    if is_new:
        yield passage


def _pieces(paragraph: str, longest: int) -> Iterator[str]:
    """Cut what is too long behind the last sentence that fits, else at a blank, else anywhere."""
    rest = paragraph.strip()
    while len(rest) > longest:
        ends = [found.end() for found in _SENTENCE_END.finditer(rest, 0, longest)]
        end = ends[-1] if ends and ends[-1] > longest // 2 else _last_blank(rest, longest)
        yield rest[:end].strip()
        rest = rest[end:].strip()
    if rest:
        yield rest


def _last_blank(text: str, within: int) -> int:
    found = max(text.rfind(" ", within // 2, within), text.rfind("\n", within // 2, within))
    return found if found > 0 else within


def _end_of(passage: str) -> str:
    """Return the last whole words that are within the overlap; nothing where there is no blank among them."""
    end = passage[-OVERLAP_LETTERS:]
    words = re.search(r"\s\S", end)
    return end[words.start() :].strip() if words is not None else ""
