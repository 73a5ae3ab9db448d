"""Single cases of a suite, without reading all of the others."""

from collections.abc import Collection
from dataclasses import dataclass

import msgspec
from msgspec import Raw, Struct
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from watchkeeper.evals.suite import Case, Gate, Scorer
from watchkeeper.store.eval_tables import eval_suites
from watchkeeper.store.suites import SuiteUnknown


class SuiteOutline(Struct, frozen=True, kw_only=True):
    """A suite whose cases are left as they are written."""

    feature: str
    name: str
    cases: list[Raw]
    scorers: tuple[Scorer, ...] = ()
    repeats: int = 1
    budget_nusd: int | None = None
    judge: str = ""
    gate: Gate = Gate()
    description: str = ""


class _Id(Struct, frozen=True):
    """As much of a case as tells it from others."""

    id: str


class _Known(Struct, frozen=True):
    """As much of a case as it is looked for by."""

    id: str
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CasePage:
    """Some cases of a suite."""

    cases: tuple[Case, ...]
    total: int
    """That fit what was asked for."""


_outline = msgspec.json.Decoder(SuiteOutline).decode
_case = msgspec.json.Decoder(Case).decode
_known = msgspec.json.Decoder(_Known).decode
_id = msgspec.json.Decoder(_Id).decode


class SuiteCases:
    """Finds cases."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def outline(self, suite: str) -> SuiteOutline:
        """Return a version of a suite by its whole id.

        Raises:
            SuiteUnknown: there is none.
        """
        async with self._engine.connect() as connection:
            found = (await connection.execute(select(eval_suites.c.content).where(eval_suites.c.id == suite))).scalar()
        if found is None:
            raise SuiteUnknown(f"There is no suite {suite[:60]!r}; `watchkeeper eval suites` lists those there are.")
        return _outline(found)


def tags_of(outline: SuiteOutline) -> dict[str, tuple[str, ...]]:
    """Return the tags of each case that has some."""
    return {known.id: known.tags for known in map(_known, outline.cases) if known.tags}


def cases_of(outline: SuiteOutline, wanted: Collection[str]) -> dict[str, Case]:
    """Return those of some cases that the suite has, by id."""
    left, found = set(wanted), dict[str, Case]()
    for raw in outline.cases:
        if not left:
            break
        name = _id(raw).id
        if name in left:
            left.discard(name)
            found[name] = _case(raw)
    return found


def page_of(outline: SuiteOutline, *, search: str = "", tag: str = "", offset: int = 0, limit: int = 50) -> CasePage:
    """Return some cases in the order of the suite.

    Args:
        outline: Of the suite.
        search: In the id, whatever the case of letters; empty for all.
        tag: That they have; empty for all.
        offset: So many are left out before.
        limit: So many at most.
    """
    if not search and not tag:
        raws = outline.cases[offset : offset + limit]
        return CasePage(tuple(map(_case, raws)), len(outline.cases))
    fitting = [
        raw
        for raw, known in ((raw, _known(raw)) for raw in outline.cases)
        if search.lower() in known.id.lower() and (not tag or tag in known.tags)
    ]
    return CasePage(tuple(_case(raw) for raw in fitting[offset : offset + limit]), len(fitting))
