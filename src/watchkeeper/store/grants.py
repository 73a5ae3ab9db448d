"""Which roles users have for which features."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import Delete, Row, delete, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from watchkeeper.access.roles import ALL, ROLES, Grant, Permission, roles_with
from watchkeeper.core.clock import Clock
from watchkeeper.core.errors import CallerError
from watchkeeper.store import moments
from watchkeeper.store.changes import changed, note
from watchkeeper.store.tables import grants, users

Origin = Literal["local", "oidc"]
"""Who says so: an admin here, or the provider that a user signs in with, which is asked again at every sign-in."""


class GrantUnknown(CallerError):
    """The user does not have this role for this feature, or not from here."""

    code = "grant_not_found"
    http_status = 404


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantRow:
    """A role that a user has."""

    user: str
    grant: Grant
    origin: Origin
    granted_at: datetime
    granted_by: str


class Grants:
    """Gives roles to users and takes them away; each change is noted in its own transaction."""

    def __init__(self, engine: AsyncEngine, clock: Clock) -> None:
        self._engine = engine
        self._changing = engine.execution_options(sqlite_begin="BEGIN IMMEDIATE")
        self._clock = clock

    async def of(self, user: str) -> list[GrantRow]:
        """Return the grants of a user, by feature; a role that only a newer version knows is left out."""
        async with self._engine.connect() as connection:
            return await _of(connection, user)

    async def every(self) -> list[GrantRow]:
        """Return the grants of all users, by user."""
        query = select(grants).order_by(grants.c.user_name, grants.c.feature, grants.c.role)
        async with self._engine.connect() as connection:
            rows = (await connection.execute(query)).all()
        return [_read(row) for row in rows if row.role in ROLES]

    async def holders(self, *any_of: Permission, feature: str = ALL, limit: int = 10) -> list[str]:
        """Return users, by name, who may do one of these for a feature; none who are kept out."""
        query = (
            select(grants.c.user_name)
            .join(users, users.c.name == grants.c.user_name)
            .where(
                grants.c.role.in_(roles_with(*any_of)),
                grants.c.feature.in_({ALL, feature}),
                users.c.is_disabled.is_(False),
            )
            .distinct()
            .order_by(grants.c.user_name)
            .limit(limit)
        )
        async with self._engine.connect() as connection:
            return list((await connection.execute(query)).scalars())

    async def give(self, user: str, grant: Grant, *, actor: str) -> bool:
        """Give a user a role; False when they have it from here already."""
        try:
            async with self._changing.begin() as connection:
                before = await _of(connection, user)
                await connection.execute(insert(grants).values(**_values(user, grant, "local", self._clock, actor)))
                await self._note(connection, f"made {user} {grant}", before, user=user, feature=grant.feature, by=actor)
        except IntegrityError:
            return False
        return True

    async def take(self, user: str, grant: Grant, *, actor: str) -> None:
        """Take a role away that was given here.

        Raises:
            GrantUnknown: the user does not have it, or has it from a provider.
        """
        async with self._changing.begin() as connection:
            before = await _of(connection, user)
            done = await connection.execute(_taking(user, grant, "local"))
            if not done.rowcount:
                raise GrantUnknown(_missing(user, grant, before))
            summary = f"took from {user}: {grant}"
            await self._note(connection, summary, before, user=user, feature=grant.feature, by=actor)

    async def refresh(self, user: str, wanted: Iterable[Grant], *, actor: str) -> None:
        """Let the grants that come from a provider be these; what was given here stays."""
        goal = frozenset(wanted)
        async with self._changing.begin() as connection:
            before = await _of(connection, user)
            held = {row.grant for row in before if row.origin == "oidc"}
            for grant in sorted(held - goal):
                await connection.execute(_taking(user, grant, "oidc"))
            for grant in sorted(goal - held):
                await connection.execute(insert(grants).values(**_values(user, grant, "oidc", self._clock, actor)))
            if goal != held:
                said = ", ".join(map(str, sorted(goal))) or "nothing"
                await self._note(connection, f"the provider grants {user}: {said}", before, user=user, by=actor)

    async def _note(
        self,
        connection: AsyncConnection,
        summary: str,
        before: list[GrantRow],
        *,
        user: str,
        by: str,
        feature: str = ALL,
    ) -> None:
        after = await _of(connection, user)
        detail = {"user": user} | changed(_written(before), _written(after))
        about = "" if feature == ALL else feature
        await note(connection, self._clock, "user", summary, actor=by, detail=detail, feature=about)


async def insert_grants(
    connection: AsyncConnection, clock: Clock, user: str, wanted: Iterable[Grant], *, origin: Origin, actor: str
) -> None:
    """Give roles to a user who has none yet, in the transaction that makes the user."""
    for grant in sorted(set(wanted)):
        await connection.execute(insert(grants).values(**_values(user, grant, origin, clock, actor)))


async def _of(connection: AsyncConnection, user: str) -> list[GrantRow]:
    query = select(grants).where(grants.c.user_name == user).order_by(grants.c.feature, grants.c.role, grants.c.origin)
    return [_read(row) for row in (await connection.execute(query)).all() if row.role in ROLES]


def _taking(user: str, grant: Grant, origin: Origin) -> Delete:
    return delete(grants).where(
        grants.c.user_name == user,
        grants.c.role == grant.role,
        grants.c.feature == grant.feature,
        grants.c.origin == origin,
    )


def _values(user: str, grant: Grant, origin: Origin, clock: Clock, actor: str) -> dict[str, object]:
    return {
        "user_name": user,
        "role": grant.role,
        "feature": grant.feature,
        "origin": origin,
        "granted_at": moments.now(clock),
        "granted_by": actor,
    }


def _written(rows: list[GrantRow]) -> dict[str, object]:
    return {"grants": [f"{row.grant}{'' if row.origin == 'local' else f' ({row.origin})'}" for row in rows]}


def _missing(user: str, grant: Grant, held: list[GrantRow]) -> str:
    if any(row.grant == grant for row in held):
        return (
            f"{user[:100]} is {grant} because the sign-in provider says so; nothing was changed. Change it there, or "
            "under `sign_in` in the configuration: it holds at the next sign-in."
        )
    return f"{user[:100]} is not {grant}; nothing was changed. `watchkeeper users show {user[:100]}` says what is."


def _read(row: Row[tuple[object, ...]]) -> GrantRow:
    return GrantRow(
        user=row.user_name,
        grant=Grant(row.role, row.feature),
        origin=row.origin,
        granted_at=moments.read_known(row.granted_at),
        granted_by=row.granted_by,
    )
