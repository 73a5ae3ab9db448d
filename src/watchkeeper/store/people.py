"""Users, their sessions, one-time sign-in links, and API tokens."""

import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Row, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from watchkeeper.access.roles import ALL, Grant, Rights, rights_within
from watchkeeper.access.tokens import LINK_MINUTES, SESSION_HOURS
from watchkeeper.core.clock import Clock
from watchkeeper.core.errors import CallerError
from watchkeeper.store import moments
from watchkeeper.store.changes import changed, note
from watchkeeper.store.grants import Origin, insert_grants
from watchkeeper.store.tables import api_tokens, links, sessions, users


class UserTaken(CallerError):
    """A user of this name exists."""

    code = "user_exists"
    http_status = 409


class UserUnknown(CallerError):
    """There is no user of this name."""

    code = "user_not_found"
    http_status = 404


class UserElsewhere(CallerError):
    """The user signs in with a provider, not here."""

    code = "user_elsewhere"
    http_status = 409


class TokenUnknown(CallerError):
    """There is no API token with this id."""

    code = "token_not_found"
    http_status = 404


@dataclass(frozen=True, slots=True, kw_only=True)
class UserRow:
    """Somebody who may sign in."""

    name: str
    password_hash: str
    created_at: datetime
    is_disabled: bool
    origin: Origin
    """Where they sign in: with a password here, or with the provider that the configuration names."""
    identity: str | None
    """Who they are there, for good: its issuer and their number; None for local users."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenDraft:
    """What an API token is to be good for."""

    name: str
    scopes: tuple[str, ...] = (ALL,)
    features: tuple[str, ...] = (ALL,)
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRow:
    """An API token without its secret."""

    id: str
    name: str
    created_at: datetime
    created_by: str
    revoked_at: datetime | None
    scopes: tuple[str, ...]
    """Permissions; `*` for all of them."""
    features: tuple[str, ...]
    """For which it has them; `*` for every feature."""
    expires_at: datetime | None

    def is_valid_at(self, moment: datetime) -> bool:
        """Tell whether it is accepted."""
        return self.revoked_at is None and (self.expires_at is None or moment < self.expires_at)

    @property
    def rights(self) -> Rights:
        """What may be done with it while it is valid."""
        return rights_within(self.scopes, self.features)


class People:
    """Who may sign in, and who has."""

    def __init__(self, engine: AsyncEngine, clock: Clock) -> None:
        self._engine = engine
        self._changing = engine.execution_options(sqlite_begin="BEGIN IMMEDIATE")
        self._clock = clock

    async def user(self, name: str) -> UserRow | None:
        """Return a user by name."""
        async with self._engine.connect() as connection:
            row = (await connection.execute(select(users).where(users.c.name == name))).one_or_none()
        return None if row is None else _user(row)

    async def user_by_identity(self, identity: str) -> UserRow | None:
        """Return the user that somebody is who signs in elsewhere."""
        async with self._engine.connect() as connection:
            row = (await connection.execute(select(users).where(users.c.identity == identity))).one_or_none()
        return None if row is None else _user(row)

    async def list_users(self) -> list[UserRow]:
        """List the users by name."""
        async with self._engine.connect() as connection:
            rows = (await connection.execute(select(users).order_by(users.c.name))).all()
        return [_user(row) for row in rows]

    async def add_user(
        self, name: str, password_hash: str, *, actor: str, grants: Iterable[Grant] = (), identity: str | None = None
    ) -> UserRow:
        """Add a user, who may do what the grants permit.

        Args:
            name: As they sign in and are listed.
            password_hash: Empty for one who signs in elsewhere, which matches no password.
            actor: Who adds them.
            grants: Their first roles.
            identity: Who they are at the provider where they sign in; None for a local user.

        Raises:
            UserTaken: one of this name exists.
        """
        row = UserRow(
            name=name,
            password_hash=password_hash,
            created_at=moments.read_known(moments.now(self._clock)),
            is_disabled=False,
            origin="local" if identity is None else "oidc",
            identity=identity,
        )
        first = sorted(set(grants))
        detail = {"user": name} | changed(None, _facts(row) | {"grants": [str(grant) for grant in first]})
        try:
            async with self._engine.begin() as connection:
                values = asdict(row) | {"created_at": moments.stored(row.created_at)}
                await connection.execute(insert(users).values(**values))
                await insert_grants(connection, self._clock, name, first, origin=row.origin, actor=actor)
                await note(connection, self._clock, "user", f"added user {name}", actor=actor, detail=detail)
        except IntegrityError:
            raise UserTaken(f"There is a user {name!r} already. Choose another name.") from None
        return row

    async def set_password(self, name: str, password_hash: str, *, actor: str) -> UserRow:
        """Change a user's password and end their sessions.

        Raises:
            UserUnknown: there is none of this name.
            UserElsewhere: they sign in with the provider.
        """
        found = await self.user(name)
        if found is not None and found.origin != "local":
            raise UserElsewhere(f"{name} signs in with the provider and has no password here; nothing was changed.")
        return await self._change_user(name, {"password_hash": password_hash}, f"changed the password of {name}", actor)

    async def hand_over(self, name: str, *, actor: str) -> UserRow:
        """Let a user sign in with the provider from now on: whoever comes from there first under this name is the user.

        Their password and their sessions end; the roles that they were given here stay.

        Raises:
            UserUnknown: there is none of this name.
        """
        values: dict[str, object] = {"password_hash": "", "origin": "oidc", "identity": None}
        return await self._change_user(name, values, f"handed {name} over to the sign-in provider", actor)

    async def adopt(self, name: str, identity: str) -> UserRow | None:
        """Make a user who was handed over the one whom the provider knows; None where nobody of this name waits."""
        waiting = (users.c.name == name) & (users.c.origin == "oidc") & users.c.identity.is_(None)
        async with self._changing.begin() as connection:
            changing = update(users).where(waiting).values(identity=identity).returning(users)
            row = (await connection.execute(changing)).one_or_none()
            if row is not None:
                detail = {"user": name} | changed({"identity": None}, {"identity": identity})
                await note(connection, self._clock, "user", f"{name} came from the provider", actor=name, detail=detail)
        return None if row is None else _user(row)

    async def disable(self, name: str, *, actor: str) -> UserRow:
        """Keep a user out from now on and end their sessions.

        Raises:
            UserUnknown: there is none of this name.
        """
        return await self._change_user(name, {"is_disabled": True}, f"disabled user {name}", actor)

    async def enable(self, name: str, *, actor: str) -> UserRow:
        """Let a user in again.

        Raises:
            UserUnknown: there is none of this name.
        """
        return await self._change_user(name, {"is_disabled": False}, f"enabled user {name}", actor)

    async def _change_user(self, name: str, values: dict[str, object], summary: str, actor: str) -> UserRow:
        this = users.c.name == name
        async with self._changing.begin() as connection:
            found = (await connection.execute(select(users).where(this).with_for_update())).one_or_none()
            if found is None:
                raise UserUnknown(f"There is no user {name[:100]!r}. `watchkeeper users list` shows them.")
            before = _user(found)
            after = _user((await connection.execute(update(users).where(this).values(**values).returning(users))).one())
            await connection.execute(delete(sessions).where(sessions.c.user_name == name))
            detail = {"user": name} | changed(_facts(before), _facts(after))
            await note(connection, self._clock, "user", summary, actor=actor, detail=detail)
        return after

    async def begin_session(self, token_hash: str, user_name: str) -> datetime:
        """Keep a session and return when it ends; sessions that have ended are forgotten."""
        now = moments.now(self._clock)
        ends = now + timedelta(hours=SESSION_HOURS)
        async with self._engine.begin() as connection:
            await connection.execute(delete(sessions).where(sessions.c.expires_at <= now))
            values = {"token_hash": token_hash, "user_name": user_name, "created_at": now, "expires_at": ends}
            await connection.execute(insert(sessions).values(**values))
        return moments.read_known(ends)

    async def session_user(self, token_hash: str) -> str | None:
        """Return whose session it is; None when it has ended or never was."""
        query = select(sessions.c.user_name).where(
            sessions.c.token_hash == token_hash, sessions.c.expires_at > moments.now(self._clock)
        )
        async with self._engine.connect() as connection:
            return (await connection.execute(query)).scalar_one_or_none()

    async def end_session(self, token_hash: str) -> None:
        """Forget a session."""
        async with self._engine.begin() as connection:
            await connection.execute(delete(sessions).where(sessions.c.token_hash == token_hash))

    async def add_link(self, token_hash: str) -> datetime:
        """Keep a sign-in link that can be used once and return when it ends; links that have ended are forgotten."""
        now = moments.now(self._clock)
        ends = now + timedelta(minutes=LINK_MINUTES)
        values = {"token_hash": token_hash, "created_at": now, "expires_at": ends}
        async with self._engine.begin() as connection:
            await connection.execute(delete(links).where(links.c.expires_at <= now))
            await connection.execute(insert(links).values(**values))
        return moments.read_known(ends)

    async def is_link_good(self, token_hash: str) -> bool:
        """Tell whether a link could be used now."""
        query = select(func.count()).where(_is_good(token_hash, moments.now(self._clock)))
        async with self._engine.connect() as connection:
            return bool((await connection.execute(query)).scalar_one())

    async def use_link(self, token_hash: str) -> bool:
        """Use a link; True for the first who does, in its time."""
        now = moments.now(self._clock)
        async with self._engine.begin() as connection:
            done = await connection.execute(update(links).where(_is_good(token_hash, now)).values(used_at=now))
        return bool(done.rowcount)

    async def add_token(self, token_hash: str, draft: TokenDraft, *, actor: str) -> TokenRow:
        """Keep an API token."""
        row = TokenRow(
            id=secrets.token_hex(6),
            name=draft.name,
            created_at=moments.read_known(moments.now(self._clock)),
            created_by=actor,
            revoked_at=None,
            scopes=draft.scopes,
            features=draft.features,
            expires_at=draft.expires_at,
        )
        values = asdict(row) | {name: moments.stored(getattr(row, name)) for name in ("created_at", "expires_at")}
        detail = {"token": row.id} | changed(None, asdict(draft))
        async with self._engine.begin() as connection:
            await connection.execute(insert(api_tokens).values(token_hash=token_hash, **values))
            summary = f"made API token {row.id} ({row.name})"
            await note(connection, self._clock, "token", summary, actor=actor, detail=detail)
        return row

    async def list_tokens(self) -> list[TokenRow]:
        """List the API tokens, the newest first."""
        async with self._engine.connect() as connection:
            rows = (await connection.execute(select(api_tokens).order_by(api_tokens.c.created_at.desc()))).all()
        return [_token(row) for row in rows]

    async def valid_token(self, token_hash: str) -> TokenRow | None:
        """Return an API token; None for one that has ended or never was."""
        query = select(api_tokens).where(
            api_tokens.c.token_hash == token_hash,
            api_tokens.c.revoked_at.is_(None),
            api_tokens.c.expires_at.is_(None) | (api_tokens.c.expires_at > moments.now(self._clock)),
        )
        async with self._engine.connect() as connection:
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else _token(row)

    async def revoke_token(self, token_id: str, *, actor: str) -> TokenRow:
        """End an API token.

        Raises:
            TokenUnknown: there is no valid one of this id.
        """
        ending = update(api_tokens).where(api_tokens.c.id == token_id, api_tokens.c.revoked_at.is_(None))
        async with self._engine.begin() as connection:
            changing = ending.values(revoked_at=moments.now(self._clock)).returning(api_tokens)
            row = (await connection.execute(changing)).one_or_none()
            if row is None:
                raise TokenUnknown(
                    f"There is no valid API token {token_id[:50]!r}. `watchkeeper tokens list` shows them."
                )
            detail = {"token": token_id} | changed({"revoked_at": None}, {"revoked_at": moments.read(row.revoked_at)})
            await note(connection, self._clock, "token", f"revoked API token {token_id}", actor=actor, detail=detail)
        return _token(row)


def _is_good(token_hash: str, now: datetime) -> ColumnElement[bool]:
    return (links.c.token_hash == token_hash) & links.c.used_at.is_(None) & (links.c.expires_at > now)


def _facts(row: UserRow) -> dict[str, object]:
    """What may be told of a user; of the password, only whether there is one."""
    return {"origin": row.origin, "is_disabled": row.is_disabled, "has_password": bool(row.password_hash)}


def _user(row: Row[tuple[object, ...]]) -> UserRow:
    return UserRow(
        name=row.name,
        password_hash=row.password_hash,
        created_at=moments.read_known(row.created_at),
        is_disabled=row.is_disabled,
        origin=row.origin,
        identity=row.identity,
    )


def _token(row: Row[tuple[object, ...]]) -> TokenRow:
    return TokenRow(
        id=row.id,
        name=row.name,
        created_at=moments.read_known(row.created_at),
        created_by=row.created_by,
        revoked_at=moments.read(row.revoked_at),
        scopes=tuple(row.scopes),
        features=tuple(row.features),
        expires_at=moments.read(row.expires_at),
    )
