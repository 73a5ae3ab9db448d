"""A case as it would be made of a call: what it holds, what was taken out of it, and to which suite it goes."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from watchkeeper.console import figures
from watchkeeper.evals.from_calls import MadeCase
from watchkeeper.evals.redaction import UNSEEN

PATH = "/cases"


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteChoice:
    """Where a case can go."""

    feature: str
    names: tuple[str, ...]
    """Suites of the feature."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CasePage:
    """The page."""

    call: str
    call_href: str
    feature: str
    suites: tuple[str, ...]
    referring: str
    content: str
    """The case, as JSON."""
    taken: tuple[str, ...]
    """Places that stand for what was taken out."""
    unseen: str
    notes: tuple[str, ...]
    added: str
    """Suite to which it was just added; empty for none."""
    problems: tuple[str, ...]


def case_page(
    made: MadeCase | None,
    choice: SuiteChoice,
    *,
    call: str,
    referring: str,
    added: str = "",
    problems: Sequence[str] = (),
) -> CasePage:
    """Build the page; without a case where none can be made of the call."""
    content = "" if made is None else figures.pretty_json(msgspec.json.encode(made.case).decode())
    return CasePage(
        call=call,
        call_href=f"/calls/{call}",
        feature=choice.feature,
        suites=choice.names,
        referring=referring,
        content=content,
        taken=() if made is None else tuple(one.place for one in made.redactions),
        unseen=UNSEEN,
        notes=() if made is None else made.notes,
        added=added,
        problems=tuple(problems),
    )
