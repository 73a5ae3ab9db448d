"""Assertions on HTML."""

import re
from collections.abc import Callable
from typing import Any

from selectolax.lexbor import LexborHTMLParser

from watchkeeper.evals.promptfoo.assertions.subject import Finding, Subject, verdict
from watchkeeper.evals.promptfoo.values import trim

LETTERS_MAX = 10 * 1024 * 1024
"""Of a text that is looked at as HTML."""
INDICATORS_NEEDED = 2
ELEMENTS = frozenset(
    (
        "a", "abbr", "address", "area", "article", "aside", "audio", "b", "base", "bdi", "bdo", "blockquote",
        "body", "br", "button", "canvas", "caption", "cite", "code", "col", "colgroup", "data", "datalist",
        "dd", "del", "details", "dfn", "dialog", "div", "dl", "dt", "em", "embed", "fieldset", "figcaption",
        "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "head", "header", "hr", "html", "i",
        "iframe", "img", "input", "ins", "kbd", "label", "legend", "li", "link", "main", "map", "mark",
        "math", "menu", "meta", "meter", "nav", "noscript", "object", "ol", "optgroup", "option", "output",
        "p", "param", "picture", "pre", "progress", "q", "rp", "rt", "ruby", "s", "samp", "script", "section",
        "select", "slot", "small", "source", "span", "strong", "style", "sub", "summary", "sup", "svg",
        "table", "tbody", "td", "template", "textarea", "tfoot", "th", "thead", "time", "title", "tr",
        "track", "u", "ul", "var", "video", "wbr",
    )
)  # fmt: skip
"""Of HTML as it is in use; obsolete ones do not count."""
_WRAPPERS = ("html", "head", "body")
_CLOSING = re.compile(r"</[a-zA-Z][a-zA-Z0-9-]*\s*>")
_NAME = re.compile(r"<[a-zA-Z][a-zA-Z0-9-]*")
_INDICATORS = (
    (re.compile(r"&(?:[a-zA-Z]+|#[0-9]+|#x[0-9a-fA-F]+);"), 1),
    (re.compile(r"<!DOCTYPE\s+html", re.IGNORECASE), 2),
    (re.compile(r"<!--[^-]*(?:-[^-]+)*-->"), 1),
    (re.compile(r"\s[a-zA-Z-]+=\s*[\"'][^\"']*[\"']"), 1),
    (
        re.compile(
            r"<(?:html|head|body|div|span|p|a|img|h[1-6]|ul|ol|li|table|tr|td|th|form|input|button|script|style|link"
            r"|meta|br|hr)\b",
            re.IGNORECASE | re.ASCII,
        ),
        2,
    ),
)
_DECLARATION = re.compile(r"\s*<\?xml", re.IGNORECASE)


def contains_html(subject: Subject) -> Finding:
    """At least two signs of HTML are in the output: tags, entities, attributes, comments."""
    source = subject.text
    holds = len(source) <= LETTERS_MAX and _indicators(source) >= INDICATORS_NEEDED
    return verdict(holds, subject, "there is no HTML in it", "there is HTML in it")


def _indicators(source: str) -> int:
    found = sum(weight for pattern, weight in _INDICATORS if pattern.search(source))
    opening, empty = _tags(source)
    return found + int(opening) + int(_CLOSING.search(source) is not None) + int(empty)


def _tags(source: str) -> tuple[bool, bool]:
    """Whether there is an opening tag, and one that closes itself; looked at in linear time."""
    opening = empty = False
    end = -1
    for name in _NAME.finditer(source):
        after = name.end()
        if end < after:
            end = source.find(">", after)
        if end < 0:
            break
        is_spaced = source[after].isspace()
        opening = opening or end == after or is_spaced
        empty = empty or (source[end - 1] == "/" and (end - 1 == after or is_spaced))
    return opening, empty


def is_html(subject: Subject) -> Finding:
    """The whole output is HTML: nothing but tags at its outermost level, and at least one element of HTML."""
    source = trim(subject.text)
    problem = ""
    if not source:
        problem = "it is empty"
    elif len(source) > LETTERS_MAX:
        problem = f"it is longer than {LETTERS_MAX:,} letters"
    elif _DECLARATION.match(source):
        problem = "it is XML"
    else:
        problem = _html_problem(LexborHTMLParser(source.encode("utf-8", "replace")), source.lower(), subject.is_old)
    return verdict(not problem, subject, problem, "it is HTML")


def _html_problem(tree: Any, lowered: str, is_old: bool) -> str:
    is_written: Callable[[str], bool] = (
        (lambda tag: f"<{tag}" in lowered)
        if is_old
        else (lambda tag: re.search(rf"<{tag}(?=[\s>/])", lowered) is not None)
    )
    node = tree.body.child if tree.body is not None and not is_written("body") else None
    while node is not None:
        if node.tag == "-text" and trim(node.text(deep=False)):
            return "it has text outside of any tag"
        node = node.next
    for node in tree.root.traverse(include_text=False):
        tag = node.tag
        if is_written(tag) if tag in _WRAPPERS else tag in ELEMENTS or "-" in tag.strip("-"):
            return ""
    return "it has no element of HTML"
