"""What came of an import: the suite, and for each part of the file what became of it."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec
from msgspec import Struct, structs

from watchkeeper.core.errors import CallerError
from watchkeeper.evals.suite import CASES_MAX, Case, Scorer, Suite

NoteKind = Literal["understood", "changed", "left out"]
"""changed: it is there, and means something else than it did."""

NOTES_MAX = 500
"""Different ones; further ones are summed up in a last one."""


class ImportRefused(CallerError):
    """A file cannot be imported at all; nothing was written."""

    code = "import_refused"
    http_status = 422


class Note(Struct, frozen=True, kw_only=True):
    """What became of a part of the file."""

    kind: NoteKind
    place: str
    """Where it stands, the first time: `samples.jsonl:12`, or `eval.json: testing_criteria[1]`."""
    message: str
    times: int = 1


class Imported(Struct, frozen=True, kw_only=True):
    """A suite, and what became of each part of the file that it was made of."""

    suite: Suite
    notes: tuple[Note, ...]
    """What was left out first, then what was changed."""

    @property
    def is_whole(self) -> bool:
        """Return whether nothing was left out, and nothing means something else."""
        return all(note.kind == "understood" for note in self.notes)


@dataclass(slots=True)
class Notes:
    """Gathers what becomes of the parts; the same said of many places is kept once, with how often."""

    _found: dict[tuple[NoteKind, str], tuple[str, int]] = field(
        default_factory=dict[tuple[NoteKind, str], tuple[str, int]]
    )
    _further: int = 0

    def understood(self, place: str, message: str) -> None:
        """Say that a part means what it meant."""
        self._add("understood", place, message)

    def changed(self, place: str, message: str) -> None:
        """Say that a part means something else, and what."""
        self._add("changed", place, message)

    def left_out(self, place: str, message: str) -> None:
        """Say that a part is not there, and what to do."""
        self._add("left out", place, message)

    def _add(self, kind: NoteKind, place: str, message: str) -> None:
        key = (kind, message)
        if key not in self._found and len(self._found) >= NOTES_MAX:
            self._further += 1
            return
        first, times = self._found.get(key, (place, 0))
        self._found[key] = (first, times + 1)

    def all(self) -> tuple[Note, ...]:
        """Return them, what was left out first."""
        order: tuple[NoteKind, ...] = ("left out", "changed", "understood")
        found = [
            Note(kind=kind, place=place, message=message, times=times)
            for wanted in order
            for (kind, message), (place, times) in self._found.items()
            if kind == wanted
        ]
        if self._further:
            found.insert(
                0, Note(kind="left out", place="", message="further notes of other kinds", times=self._further)
            )
        return tuple(found)


def imported(
    feature: str, name: str, cases: Iterable[Case], scorers: Iterable[Scorer], notes: Notes, *, description: str = ""
) -> Imported:
    """Put a suite together; cases without an id of their own get one that follows from their content.

    Raises:
        ImportRefused: there is no case, or there are too many.
    """
    numbered: list[Case] = []
    seen: dict[str, int] = {}
    for case in cases:
        known = case.id or f"c-{_digest(case)}"
        times = seen[known] = seen.get(known, 0) + 1
        numbered.append(case if case.id and times == 1 else structs.replace(case, id=_free(known, times, seen)))
        if len(numbered) > CASES_MAX:
            raise ImportRefused(f"Nothing was imported: there are more than {CASES_MAX:,} cases. Split the file.")
    if not numbered:
        raise ImportRefused(f"Nothing was imported: there is no case. {_said(notes)}".rstrip())
    suite = Suite(
        feature=feature, name=name, cases=tuple(numbered), scorers=tuple(named(scorers)), description=description
    )
    return Imported(suite=suite, notes=notes.all())


def named(scorers: Iterable[Scorer]) -> list[Scorer]:
    """Give scorers different titles: the second of the same gets a number."""
    found: list[Scorer] = []
    titles: set[str] = set()
    for scorer in scorers:
        title, number = scorer.title, 1
        while title in titles:
            number += 1
            title = f"{scorer.title} {number}"
        titles.add(title)
        found.append(scorer if title == scorer.title else structs.replace(scorer, name=title))
    return found


def text_of(value: Any) -> str:
    """Write a value as text: a text as it is, nothing as nothing, the rest as JSON."""
    return "" if value is None else value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _free(known: str, times: int, seen: dict[str, int]) -> str:
    name = known if times == 1 else f"{known}-{times}"
    while name != known and name in seen:
        times += 1
        name = f"{known}-{times}"
    seen.setdefault(name, 1)
    return name


def _digest(case: Case) -> str:
    content = msgspec.json.encode([case.variables, case.messages, case.reference, case.answer], order="sorted")
    return hashlib.sha256(content).hexdigest()[:10]


def _said(notes: Notes) -> str:
    return " ".join(f"{note.place}: {note.message}." for note in notes.all()[:3] if note.kind == "left out")
