"""Whether a release may go to an environment: its rules are looked at in the transaction that then puts it there."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from watchkeeper.core.clock import Clock
from watchkeeper.core.errors import CallerError
from watchkeeper.releases.rules import Facts, Lack, Rules, lacking
from watchkeeper.store.freezes import freezes_of
from watchkeeper.store.gates import latest_gates
from watchkeeper.store.releases import lineage
from watchkeeper.store.reviews import close_request, open_request
from watchkeeper.store.tables import environment_history, releases

RUNS_MAX = 100
"""Characters of the runs that a promotion relies upon."""


class NotCleared(CallerError):
    """Rules of the environment do not hold for the release; nothing was changed."""

    code = "promotion_refused"
    http_status = 409

    def __init__(self, wish: "Wish", lacks: Iterable[Lack]) -> None:
        self.lacks = tuple(lacks)
        said = "; ".join(lack.message for lack in self.lacks)
        super().__init__(
            f"Release {wish.release} of {wish.feature} was not promoted to {wish.environment}. What is missing: {said}."
        )
        self.detail = {"missing": [{"rule": lack.rule, "message": lack.message} for lack in self.lacks]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A release that somebody wants in an environment."""

    feature: str
    environment: str
    release: str
    eval_run: str = ""
    """The run that is relied upon, where somebody says so."""
    review: int | None = None
    """The request that must be the one for it; None for whichever is open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clearance:
    """What a release is promoted on."""

    review: int | None
    """The request that was approved; None where nobody asked for one."""
    eval_run: str
    """The run that is relied upon: as somebody says, else those of the required checks."""


async def cleared(connection: AsyncConnection, clock: Clock, wish: Wish, rules: Rules) -> Clearance:
    """See that every rule holds, and close the review that was asked for.

    In the transaction that then has the release serve (`deciding.deciding`): what holds here still holds there.

    Raises:
        NotCleared: a rule does not hold; the error names all that do not.
    """
    facts = await facts_of(connection, wish)
    lacks = lacking(rules, facts)
    if wish.review not in (None, facts.request):
        lacks.append(Lack("approvals", f"review request {wish.review} is no open one for it"))
    if lacks:
        raise NotCleared(wish, lacks)
    if facts.request is not None:
        await close_request(connection, clock, facts.request, "promoted")
    found = await latest_gates(connection, wish.release) if rules.gates else {}
    runs = ", ".join(dict.fromkeys(found[gate].run for gate in rules.gates if found[gate].run))
    return Clearance(review=facts.request, eval_run=(wish.eval_run or runs)[:RUNS_MAX])


async def facts_of(connection: AsyncConnection, wish: Wish) -> Facts:
    """Gather what the rules ask about."""
    request = await open_request(connection, wish.feature, wish.release, wish.environment)
    gates = await latest_gates(connection, wish.release)
    return Facts(
        feature=wish.feature,
        environment=wish.environment,
        release=wish.release,
        authors=await _authors(connection, wish),
        request=None if request is None else request.id,
        votes={} if request is None else {vote.by: vote.verdict for vote in request.votes},
        gates={name: gate.has_passed for name, gate in gates.items()},
        freezes=tuple(str(freeze) for freeze in await freezes_of(connection, wish.environment, wish.feature)),
    )


async def _authors(connection: AsyncConnection, wish: Wish) -> frozenset[str]:
    """Who wrote the release, or one that came between it and the one that is live."""
    query = select(releases.c.id, releases.c.parent, releases.c.author).where(releases.c.feature == wish.feature)
    rows = (await connection.execute(query)).all()
    parents, authors = {row.id: row.parent for row in rows}, {row.id: row.author for row in rows}
    reached = set(lineage(parents, await _live(connection, wish)))
    between = [one for one in lineage(parents, wish.release) if one == wish.release or one not in reached]
    return frozenset(authors[one] for one in between)


async def _live(connection: AsyncConnection, wish: Wish) -> str:
    table = environment_history
    where = (table.c.feature == wish.feature, table.c.environment == wish.environment)
    query = select(table.c.release).where(*where).order_by(table.c.number.desc()).limit(1)
    return (await connection.execute(query)).scalar_one_or_none() or ""
