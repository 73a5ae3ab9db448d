"""Virtual keys as the control database keeps them."""

from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Row, case, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from watchkeeper.access.keys import KeyHasher, make_key
from watchkeeper.core.clock import Clock
from watchkeeper.core.errors import CallerError
from watchkeeper.store import moments
from watchkeeper.store.changes import changed, note
from watchkeeper.store.tables import keys


class KeyUnknown(CallerError):
    """There is no key with this id."""

    code = "key_not_found"
    http_status = 404


class KeyOver(CallerError):
    """The key has been revoked or has expired, and stays so."""

    code = "key_revoked"
    http_status = 409


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyDraft:
    """What a key is to be bound to."""

    feature: str
    tenant: str = ""
    name: str = ""
    environment: str = "production"
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRow:
    """A key without its secret."""

    public_id: str
    name: str
    feature: str
    tenant: str
    environment: str
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    revoked_at: datetime | None
    replaced_by: str | None

    def is_valid_at(self, moment: datetime) -> bool:
        """Tell whether the key is accepted."""
        return self.revoked_at is None and (self.expires_at is None or moment < self.expires_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKeyRow:
    """A key with its secret, at the only moment it can be seen."""

    row: KeyRow
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySecret:
    """What the gateway must know of a valid key."""

    row: KeyRow
    secret_hash: bytes


class Keys:
    """Creates, lists, revokes and rotates keys; each change is noted in its own transaction."""

    def __init__(self, engine: AsyncEngine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    async def create(self, hasher: KeyHasher, draft: KeyDraft, *, actor: str) -> NewKeyRow:
        """Make a key."""
        made = make_key()
        row = KeyRow(
            public_id=made.public_id,
            name=draft.name,
            feature=draft.feature,
            tenant=draft.tenant,
            environment=draft.environment,
            created_at=moments.read_known(moments.now(self._clock)),
            created_by=actor,
            expires_at=draft.expires_at,
            revoked_at=None,
            replaced_by=None,
        )
        async with self._engine.begin() as connection:
            await connection.execute(insert(keys).values(**_stored(row), secret_hash=hasher.hash(made.key)))
            summary = f"made key {row.public_id} for {row.feature}"
            await self._note(connection, summary, row.public_id, None, _facts(row), row.feature, actor)
        return NewKeyRow(row=row, key=made.key)

    async def get(self, public_id: str) -> KeyRow:
        """Return one key.

        Raises:
            KeyUnknown: there is none of this id.
        """
        async with self._engine.connect() as connection:
            row = (await connection.execute(select(keys).where(keys.c.public_id == public_id))).one_or_none()
        if row is None:
            raise KeyUnknown(
                f"There is no key {public_id[:50]!r}. `watchkeeper keys list` shows them; an id has 12 characters."
            )
        return _read(row)

    async def all(self, features: frozenset[str] | None = None) -> list[KeyRow]:
        """List the keys of some features, without a set of all, the newest first."""
        query = select(keys).order_by(keys.c.created_at.desc())
        if features is not None:
            query = query.where(keys.c.feature.in_(features))
        async with self._engine.connect() as connection:
            rows = (await connection.execute(query)).all()
        return [_read(row) for row in rows]

    async def valid(self) -> list[KeySecret]:
        """List what the gateway needs of every key that has not been revoked."""
        async with self._engine.connect() as connection:
            rows = (await connection.execute(select(keys).where(keys.c.revoked_at.is_(None)))).all()
        return [KeySecret(row=_read(row), secret_hash=row.secret_hash) for row in rows]

    async def revoke(self, public_id: str, *, actor: str) -> KeyRow:
        """End a key at once.

        Raises:
            KeyUnknown: there is none of this id.
            KeyOver: it has been revoked before.
        """
        found = await self.get(public_id)
        now = moments.now(self._clock)
        is_open = (keys.c.public_id == public_id) & keys.c.revoked_at.is_(None)
        async with self._engine.begin() as connection:
            done = await connection.execute(update(keys).where(is_open).values(revoked_at=now))
            if not done.rowcount:
                raise KeyOver(f"The key {public_id} was revoked already. It stays so; nothing was changed.")
            after = _facts(replace(found, revoked_at=moments.read(now)))
            summary = f"revoked key {public_id} of {found.feature}"
            await self._note(connection, summary, public_id, _facts(found), after, found.feature, actor)
        return await self.get(public_id)

    async def rotate(self, hasher: KeyHasher, public_id: str, *, overlap: timedelta, actor: str) -> NewKeyRow:
        """Make a key like another, which ends after the overlap, or at its own time if that is earlier.

        The new key ends when the old one would have ended: rotation does not prolong anything.

        Raises:
            KeyUnknown: there is none of this id.
            KeyOver: it is not valid any more, or has been replaced before.
        """
        found = await self.get(public_id)
        made = make_key()
        now = moments.now(self._clock)
        row = replace(found, public_id=made.public_id, created_at=moments.read_known(now), created_by=actor)
        async with self._engine.begin() as connection:
            await self._end_replaced(connection, public_id, by=made.public_id, now=now, overlap=overlap)
            await connection.execute(insert(keys).values(**_stored(row), secret_hash=hasher.hash(made.key)))
            old = _read((await connection.execute(select(keys).where(keys.c.public_id == public_id))).one())
            summary = f"replaced key {public_id} of {found.feature} by {made.public_id}"
            await self._note(connection, summary, public_id, _facts(found), _facts(old), found.feature, actor)
        return NewKeyRow(row=row, key=made.key)

    async def _note(
        self,
        connection: AsyncConnection,
        summary: str,
        public_id: str,
        before: dict[str, object] | None,
        after: dict[str, object],
        feature: str,
        actor: str,
    ) -> None:
        detail = {"key": public_id} | changed(before, after)
        await note(connection, self._clock, "key", summary, actor=actor, detail=detail, feature=feature)

    async def _end_replaced(
        self, connection: AsyncConnection, public_id: str, *, by: str, now: datetime, overlap: timedelta
    ) -> None:
        """One statement decides, so that of two who rotate at once only one succeeds."""
        is_valid = (
            (keys.c.public_id == public_id)
            & keys.c.replaced_by.is_(None)
            & keys.c.revoked_at.is_(None)
            & (keys.c.expires_at.is_(None) | (keys.c.expires_at > now))
        )
        end = now + overlap
        ends_at = case((keys.c.expires_at < end, keys.c.expires_at), else_=end)
        done = await connection.execute(update(keys).where(is_valid).values(replaced_by=by, expires_at=ends_at))
        if not done.rowcount:
            raise KeyOver(
                f"The key {public_id} is not valid any more or has been replaced; nothing was changed. "
                "Make a new one with `watchkeeper keys create`."
            )


def _stored(row: KeyRow) -> dict[str, object]:
    moment_names = ("created_at", "expires_at", "revoked_at")
    return asdict(row) | {name: moments.stored(getattr(row, name)) for name in moment_names}


def _facts(row: KeyRow) -> dict[str, object]:
    """What a key is bound to, and until when."""
    names = ("name", "feature", "tenant", "environment", "expires_at", "revoked_at", "replaced_by")
    return {name: getattr(row, name) for name in names}


def _read(row: Row[tuple[object, ...]]) -> KeyRow:
    return KeyRow(
        public_id=row.public_id,
        name=row.name,
        feature=row.feature,
        tenant=row.tenant,
        environment=row.environment,
        created_at=moments.read_known(row.created_at),
        created_by=row.created_by,
        expires_at=moments.read(row.expires_at),
        revoked_at=moments.read(row.revoked_at),
        replaced_by=row.replaced_by,
    )
