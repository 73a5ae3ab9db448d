"""XML read as fast-xml-parser reads it: what is opened need not be closed, and any closing tag closes the last one."""

import re
from typing import Any

NESTED_MAX = 100
_ATTRIBUTE = re.compile(r"""([^\s=]+)\s*(?:=\s*(?:"([^"]*)"|'([^']*)'))?""")
_QUOTED_OR_END = re.compile(r"""[^"'>]*(?:"[^"]*"[^"'>]*|'[^']*'[^"'>]*)*>""")
_TEXT = "#text"


class XmlProblem(Exception):
    """A text is not even loosely XML."""


class Element:
    """An element under way."""

    __slots__ = ("children", "words")

    def __init__(self) -> None:
        self.children: dict[str, list[Any]] = {}
        self.words: list[str] = []

    def add(self, name: str, value: Any) -> None:
        """Add a child, an attribute (`@_NAME`), or an element under way."""
        self.children.setdefault(name, []).append(value)

    def content(self) -> Any:
        """Return text for what holds only text, else an object; a name that occurs again has a list."""
        words = "".join(self.words)
        if not self.children:
            return words
        made = {name: _single([_content(value) for value in values]) for name, values in self.children.items()}
        return {**made, _TEXT: words} if words else made


def _content(value: Any) -> Any:
    return value.content() if isinstance(value, Element) else value


def _single(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else values


def read(source: str) -> dict[str, Any]:
    """Return the elements of a text as objects of objects. Raises XmlProblem."""
    root = Element()
    opened = [root]
    at = 0
    while (start := source.find("<", at)) >= 0:
        if len(opened) > 1 and (words := source[at:start].strip()):
            opened[-1].words.append(words)
        at = _tag(source, start, opened)
    found = root.content()
    return found if isinstance(found, dict) else {}


def _tag(source: str, start: int, opened: list[Element]) -> int:
    """Take one tag in and return where it ends."""
    if source.startswith("</", start):
        end = _after(source, ">", start, "a closing tag is not closed")
        if len(opened) > 1:
            opened.pop()
        return end
    if source.startswith("<!--", start):
        return _after(source, "-->", start + 4, "a comment is not closed")
    if source.startswith("<![", start):
        end = _after(source, "]]>", start, "a CDATA section is not closed")
        opened[-1].words.append(source[start + 9 : end - 3])
        return end
    if source.startswith("<!D", start):
        return _after(source, ">", start, "a DOCTYPE is not closed")
    if source.startswith("<?", start):
        return _instruction(source, start, opened)
    return _opening(source, start, opened)


def _instruction(source: str, start: int, opened: list[Element]) -> int:
    end = _after(source, "?>", start, "a processing instruction is not closed")
    name, element = _named(source[start + 1 : end - 2])
    opened[-1].add(name, element)
    return end


def _opening(source: str, start: int, opened: list[Element]) -> int:
    whole = _QUOTED_OR_END.match(source, start + 1)
    if whole is None:
        raise XmlProblem("a tag is not closed")
    inside = whole[0][:-1]
    name, element = _named(inside.removesuffix("/"))
    opened[-1].add(name, element)
    if not inside.endswith("/"):
        if len(opened) > NESTED_MAX + 1:
            raise XmlProblem(f"it nests deeper than {NESTED_MAX} elements")
        opened.append(element)
    return whole.end()


def _named(inside: str) -> tuple[str, Element]:
    name, *rest = inside.split(maxsplit=1) if inside and not inside[0].isspace() else ["", inside]
    element = Element()
    for attribute in _ATTRIBUTE.finditer(rest[0] if rest else ""):
        value = attribute[2] if attribute[2] is not None else attribute[3]
        element.add(f"@_{attribute[1]}", True if value is None else value)
    return name, element


def _after(source: str, end: str, start: int, problem: str) -> int:
    at = source.find(end, start)
    if at < 0:
        raise XmlProblem(problem)
    return at + len(end)
