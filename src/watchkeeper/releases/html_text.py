"""The text of an HTML page, with its headings as Markdown has them."""

from html.parser import HTMLParser
from typing import NamedTuple

_UNSEEN = frozenset({"script", "style", "template", "noscript", "svg", "head"})
_BLOCKS = frozenset(
    {
        "p", "div", "section", "article", "main", "header", "footer", "nav", "aside", "ul", "ol", "table", "blockquote",
        "pre", "figure", "form", "dl", "h1", "h2", "h3", "h4", "h5", "h6",
    }
)  # fmt: skip
_LINES = frozenset({"br", "li", "tr", "dt", "dd", "hr"})
_HEADINGS = {f"h{level}": "#" * level for level in range(1, 7)}


class Page(NamedTuple):
    """What can be read on a page."""

    title: str
    text: str


def text_of_html(html: str) -> Page:
    """Read a page; what is broken is read as far as it can be."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    lines = ["".join(line.split("\0")) for line in "".join(reader.parts).split("\n")]
    blocks = "\n".join(" ".join(line.split()) for line in lines).split("\n\n")
    text = "\n\n".join(block.strip("\n") for block in blocks if block.strip())
    return Page(" ".join("".join(reader.title).split()), text)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._unseen = 0
        self._is_title = False
        self.title: list[str] = []
        self.parts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin a block, a line, or what is not seen."""
        if tag == "title":
            self._is_title = True
        elif tag in _UNSEEN:
            self._unseen += 1
        elif tag in _BLOCKS:
            self.parts.append("\n\n")
            if tag in _HEADINGS:
                self.parts.append(f"{_HEADINGS[tag]} ")
        elif tag in _LINES:
            self.parts.append("\n")
        elif tag in ("td", "th"):
            self.parts.append(" ")
        if tag == "body":  # a head that was never closed ends here
            self._unseen = 0

    def handle_endtag(self, tag: str) -> None:
        """End it."""
        if tag == "title":
            self._is_title = False
        elif tag in _UNSEEN:
            self._unseen = max(0, self._unseen - 1)
        elif tag in _BLOCKS:
            self.parts.append("\n\n")

    def handle_data(self, data: str) -> None:
        """Take text in, its line breaks as blanks."""
        if self._is_title:
            self.title.append(data)
        elif not self._unseen:
            self.parts.append(data.replace("\n", " "))
