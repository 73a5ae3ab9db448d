"""Assertions on XML and HTML."""

import re
from collections.abc import Iterator, Sequence
from typing import Any
from xml.parsers import expat

from watchkeeper.evals.promptfoo.assertions import loose_xml
from watchkeeper.evals.promptfoo.assertions.subject import Finding, Subject, Undecided, verdict
from watchkeeper.evals.promptfoo.javascript import UNDEFINED
from watchkeeper.evals.promptfoo.values import text, trim

_XML_NAME = re.compile(r"[:A-Z_a-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02ff\u0370-\u037d\u037f-\u1fff][\w:.\-\u00b7]*")


def is_xml(subject: Subject) -> Finding:
    """The whole output is XML, and has all the elements that the value names (`a.b.c`)."""
    wanted = _wanted(subject)
    problem = _loose_problem(subject.text, wanted) if subject.is_old else _strict_problem(subject.text, wanted)
    return verdict(not problem, subject, problem, "it is XML")


def contains_xml(subject: Subject) -> Finding:
    """There is XML in the output, with all the elements that the value names."""
    wanted = _wanted(subject)
    problem = "there is no XML in it"
    settled: list[tuple[int, int]] = []
    for start, end in _widest(subject.text) if subject.is_old else _candidates(subject.text):
        if any(start >= first and end <= last for first, last in settled):
            continue
        problem = _loose_problem(subject.text[start:end], wanted)
        if not problem:
            break
        if problem.startswith("it lacks"):
            settled.append((start, end))
    return verdict(not problem, subject, problem, "there is XML in it")


def _wanted(subject: Subject) -> list[str]:
    value: Any = None if subject.value is UNDEFINED else subject.value
    if isinstance(value, str):
        return [trim(part) for part in value.split(",")]
    if isinstance(value, dict) and value:
        value = value.get("requiredElements")
        if not isinstance(value, list):
            raise Undecided(f"`{subject.base}` takes a list of elements, a text with commas, or `requiredElements`")
    return [text(item) for item in value] if isinstance(value, list) else []


def _loose_problem(source: str, wanted: Sequence[str]) -> str:
    if not source.startswith("<"):
        return "it does not begin with a tag"
    try:
        found = loose_xml.read(source)
    except loose_xml.XmlProblem as problem:
        return f"it is not XML: {problem}"
    missing = [path for path in wanted if not _has(found, path.split("."))]
    return f"it lacks {', '.join(missing)}" if missing else ""


def _has(found: Any, path: Sequence[str]) -> bool:
    for step in path:
        if isinstance(found, dict) and step in found:
            found = found[step]
        elif isinstance(found, list) and step.isdecimal() and int(step) < len(found):
            found = found[int(step)]
        else:
            return False
    return True


def _strict_problem(source: str, wanted: Sequence[str]) -> str:
    parser = expat.ParserCreate(namespace_separator=" ")
    refused: list[str] = []

    def doctype(*declared: object) -> None:
        if declared[-1]:
            refused.append("it declares things of its own in its DOCTYPE")
            raise ValueError

    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(source.encode("utf-8"), True)
    except (expat.ExpatError, UnicodeEncodeError) as problem:
        return f"it is not XML: {problem}"
    except ValueError:
        return refused[0]
    return _loose_problem(source.lstrip("\ufeff"), wanted)


def _widest(source: str) -> Iterator[tuple[int, int]]:
    """From the word with the first tag to the last closing tag, as promptfoo 0.118 cuts it."""
    closing = [found.span() for found in re.finditer(r"</[^>]+>", source)]
    at = 0
    while closing and (at := source.find("<", at)) >= 0:
        end = source.find(">", at + 2)
        if end < 0 or end >= closing[-1][0]:
            return
        if source[at + 1] != ">":
            start = at
            while start and trim(source[start - 1]):
                start -= 1
            yield start, closing[-1][1]
            return
        at += 1


def _candidates(source: str) -> list[tuple[int, int]]:
    """Where whole elements stand: rows of neighbours first, then each outermost one."""
    opened: list[tuple[str, int]] = []
    elements: list[tuple[int, int, int]] = []
    at = 0
    while (start := source.find("<", at)) >= 0:
        kind, name, end = _tag_at(source, start)
        at = end if kind else start + 1
        parent = opened[-1][1] if opened else -1
        if kind == "open":
            opened.append((name, start))
        elif kind == "empty":
            elements.append((start, end, parent))
        elif kind == "close" and opened and opened[-1][0] == name:
            first = opened.pop()[1]
            elements.append((first, end, opened[-1][1] if opened else -1))
        elif kind == "close":
            opened.clear()
    starts = {start for start, _, _ in elements}
    rows: dict[int, list[tuple[int, int]]] = {}
    for start, end, parent in elements:
        if parent not in starts:
            rows.setdefault(parent, []).append((start, end))
    joined = [(min(row)[0], max(end for _, end in row)) for row in rows.values() if len(row) > 1]
    single = sorted((each for row in rows.values() for each in row), key=lambda each: (each[0], -each[1]))
    return list(dict.fromkeys(joined + single))


def _tag_at(source: str, start: int) -> tuple[str, str, int]:
    """What kind of tag begins there (none: empty), its name, and where it ends."""
    for opening, closing in (("<!--", "-->"), ("<![CDATA[", "]]>"), ("<?", "?>"), ("<!", ">")):
        if source.startswith(opening, start):
            end = source.find(closing, start + len(opening))
            return "other", "", len(source) if end < 0 else end + len(closing)
    is_closing = source.startswith("</", start)
    name = _XML_NAME.match(source, start + 1 + is_closing)
    whole = re.compile(r"""(?:[^"'<>]|"[^"]*"|'[^']*')*>""").match(source, name.end()) if name else None
    if name is None or whole is None:
        return "", "", start + 1
    is_empty = whole[0][:-1].rstrip().endswith("/")
    return "close" if is_closing else "empty" if is_empty else "open", name[0], whole.end()
