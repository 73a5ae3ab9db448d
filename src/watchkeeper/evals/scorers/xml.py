"""Answers that must be XML: well-formed, without entities of their own, with the elements that are asked for."""

from typing import Any
from xml.parsers import expat

from msgspec import Struct

from watchkeeper.evals.scorers.marking import Finding, Look, as_texts, check_value, settings, shown
from watchkeeper.evals.scoring import Question
from watchkeeper.evals.suite import Scorer

DEPTH_MAX = 200
ELEMENTS_MAX = 100_000


class Surroundings(Struct, forbid_unknown_fields=True):
    """Options of `xml`."""

    within: bool = False
    """Whether the XML may stand in other text: from the first `<` to the last `>`."""


class _Unsafe(Exception):
    """What is well-formed and is not read on."""


class _Reader:
    """Notes the paths of elements as they are read; keeps no tree."""

    def __init__(self) -> None:
        self._open: list[str] = []
        self._count = 0
        self.paths: set[str] = set()
        """Dotted, from the root element down."""

    def read(self, text: str) -> str:
        """Return what is wrong; empty for XML that may be read."""
        parser = expat.ParserCreate(encoding="utf-8")
        parser.StartElementHandler = self.on_start
        parser.EndElementHandler = self.on_end
        parser.EntityDeclHandler = self.on_entity
        try:
            parser.Parse(text.encode(), True)
        except expat.ExpatError as why:
            return f"it is not well-formed: {why}"
        except _Unsafe as why:
            return str(why)
        return ""

    def on_start(self, name: str, attributes: Any) -> None:
        self._open.append(name)
        self._count += 1
        if len(self._open) > DEPTH_MAX or self._count > ELEMENTS_MAX:
            raise _Unsafe(f"it has more than {DEPTH_MAX} levels or {ELEMENTS_MAX:,} elements")
        self.paths.add(".".join(self._open))

    def on_end(self, name: str) -> None:
        self._open.pop()

    def on_entity(self, *declared: Any) -> None:
        raise _Unsafe("it declares entities, which are not expanded")


def xml(scorer: Scorer) -> Look:
    """The answer must be XML; with a value, elements are asked for by their dotted paths from the root."""
    options = settings(scorer, Surroundings)
    check_value(scorer, as_texts)

    def look(question: Question) -> Finding:
        text = question.answer.text.strip()
        if options.within:
            text = text[max(0, text.find("<")) : text.rfind(">") + 1]
        # A reference is a right answer and names no elements.
        wanted = [] if scorer.value is None else as_texts(question.value)
        reader = _Reader()
        if problem := reader.read(text):
            return Finding(0.0, f"the answer cannot be read as XML: {problem}")
        missing = [path for path in wanted if path not in reader.paths]
        if missing:
            named = ", ".join(map(shown, missing[:5]))
            return Finding(1 - len(missing) / len(wanted), f"the answer is XML without {named}")
        return Finding(1.0, "the answer is XML")

    return look
