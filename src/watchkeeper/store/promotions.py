"""Promotion, rollback and withdrawal: what changes what is live, with every check in the transaction that writes."""

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from watchkeeper.core.clock import Clock
from watchkeeper.core.errors import CallerError
from watchkeeper.releases.history import fallback_of
from watchkeeper.releases.rules import Lack, Rules, lacking
from watchkeeper.store.clearance import Wish, cleared, facts_of
from watchkeeper.store.deciding import deciding
from watchkeeper.store.environments import StandingDraft, StandingRow, add_standing, latest_standings
from watchkeeper.store.freezes import freezes_of
from watchkeeper.store.tables import environment_history, releases

LOOKED_BACK_MAX = 1_000
"""Rows of a history in which a rollback looks for what stood before."""


class NotOfFeature(CallerError):
    """The release is not one of the feature, or there is none; nothing was changed."""

    code = "release_not_found"
    http_status = 404


class AlreadyLive(CallerError):
    """What was asked for is so already; nothing was changed."""

    code = "already_live"
    http_status = 409


class NothingBefore(CallerError):
    """There is nothing that a rollback could go back to; nothing was changed."""

    code = "nothing_before"
    http_status = 409


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What somebody wants to be live, and why."""

    feature: str
    environment: str
    release: str = ""
    """Empty for a rollback to what stood before, and for a withdrawal."""
    by: str
    reason: str = ""
    eval_run: str = ""
    review: int | None = None
    """As in `Wish`."""
    expects: int | None = None
    """As in `StandingDraft`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What is live now, and what was before."""

    row: StandingRow
    before: StandingRow | None
    version: int
    """Of all environments: a worker whose `Live.version` is as large has the change."""
    passed_over: tuple[str, ...] = ()
    """What would have held up a promotion, and does not hold up this."""


class Promotions:
    """Changes what is live."""

    def __init__(self, engine: AsyncEngine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    async def lacking(self, wish: Wish, rules: Rules) -> list[Lack]:
        """List what a release lacks to be promoted now; nothing is changed."""
        async with self._engine.connect() as connection:
            return lacking(rules, await facts_of(connection, wish))

    async def promote(self, order: Order, rules: Rules) -> Done:
        """Have a release serve, all callers at once; a rollout that runs is over.

        Raises:
            NotOfFeature: it is no release of the feature.
            AlreadyLive: it serves already, and nothing else does.
            NotCleared: a rule of the environment does not hold.
            Overtaken: the latest row is another one than expected.
        """
        async with deciding(self._engine) as connection:
            before = await self._before(connection, order)
            if before is not None and before.release == order.release and before.rollout is None:
                raise AlreadyLive(f"{order.release} is live in {order.environment} already; nothing was changed.")
            wish = Wish(
                feature=order.feature,
                environment=order.environment,
                release=order.release,
                eval_run=order.eval_run,
                review=order.review,
            )
            clearance = await cleared(connection, self._clock, wish, rules)
            draft = StandingDraft(
                feature=order.feature,
                environment=order.environment,
                kind="promote",
                release=order.release,
                by=order.by,
                reason=order.reason,
                review=clearance.review,
                eval_run=clearance.eval_run,
                expects=order.expects,
            )
            return await self._put(connection, draft, before)

    async def roll_back(self, order: Order) -> Done:
        """Go back to what stood before, or to a release that stood here once; a rollout that runs is over.

        It needs no review and a freeze does not hold it up, because nothing comes in that was not here before.

        Raises:
            NotOfFeature: the release is none of the feature.
            NothingBefore: nothing stood before, or the release never stood here.
            AlreadyLive: it stands already, and nothing is tried beside it.
            Overtaken: the latest row is another one than expected.
        """
        async with deciding(self._engine) as connection:
            before = await self._before(connection, order)
            rows = list(reversed(await latest_standings(connection, order.feature, order.environment, LOOKED_BACK_MAX)))
            target = order.release or fallback_of(rows)
            where = f"{order.feature} in {order.environment}"
            if not target:
                if before is None:
                    raise NothingBefore(f"Nothing is live of {where}; nothing was changed.")
                raise NothingBefore(f"Nothing stood before what is live of {where}; nothing was changed.")
            if order.release and not await self._has_stood(connection, order):
                raise NothingBefore(
                    f"{target} never stood for {where}, and a rollback brings in nothing new; nothing was changed. "
                    f"Promote it: `watchkeeper release promote {order.feature} {target} --to {order.environment}`."
                )
            if before is not None and before.release == target and before.rollout is None:
                raise AlreadyLive(f"{target} is live in {order.environment} already; nothing was changed.")
            freezes = await freezes_of(connection, order.environment, order.feature)
            draft = StandingDraft(
                feature=order.feature,
                environment=order.environment,
                kind="rollback",
                release=target,
                by=order.by,
                reason=order.reason,
                expects=order.expects,
            )
            return await self._put(connection, draft, before, tuple(str(freeze) for freeze in freezes))

    async def withdraw(self, order: Order) -> Done:
        """Take a feature off: calls of it are refused here from then on. A freeze does not hold it up.

        Raises:
            AlreadyLive: it is not served here anyway.
            Overtaken: the latest row is another one than expected.
        """
        async with deciding(self._engine) as connection:
            before = await self._before(connection, order)
            if before is None or not before.release:
                raise AlreadyLive(f"{order.feature} is not live in {order.environment} anyway; nothing was changed.")
            freezes = await freezes_of(connection, order.environment, order.feature)
            draft = StandingDraft(
                feature=order.feature,
                environment=order.environment,
                kind="withdraw",
                release="",
                by=order.by,
                reason=order.reason,
                expects=order.expects,
            )
            return await self._put(connection, draft, before, tuple(str(freeze) for freeze in freezes))

    async def _before(self, connection: AsyncConnection, order: Order) -> StandingRow | None:
        """Return what is live, once it is clear that the wish is about a release of the feature."""
        if order.release:
            of = select(releases.c.id).where(releases.c.id == order.release, releases.c.feature == order.feature)
            if (await connection.execute(of)).first() is None:
                raise NotOfFeature(f"{order.release} is no release of {order.feature}; nothing was changed.")
        rows = await latest_standings(connection, order.feature, order.environment, 1)
        return rows[0] if rows else None

    async def _has_stood(self, connection: AsyncConnection, order: Order) -> bool:
        table = environment_history
        query = select(table.c.id).where(
            table.c.feature == order.feature,
            table.c.environment == order.environment,
            table.c.release == order.release,
        )
        return (await connection.execute(query.limit(1))).first() is not None

    async def _put(
        self,
        connection: AsyncConnection,
        draft: StandingDraft,
        before: StandingRow | None,
        passed_over: tuple[str, ...] = (),
    ) -> Done:
        row = await add_standing(connection, self._clock, draft)
        version = (await connection.execute(select(func.count()).select_from(environment_history))).scalar_one()
        return Done(row=row, before=before, version=version, passed_over=passed_over)
