"""Virtual keys as the control database keeps them."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Row, insert, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from watchkeeper.access.keys import KeyHasher, make_key
from watchkeeper.core.clock import Clock
from watchkeeper.core.errors import CallerError
from watchkeeper.store import moments
from watchkeeper.store.changes import note
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

    async def create(
        self,
        hasher: KeyHasher,
        draft: KeyDraft,
        *,
        actor: str,
        replaces: str | None = None,
        overlap: timedelta = timedelta(0),
    ) -> NewKeyRow:
        """Make a key; when it replaces another, that one ends after the overlap, in the same transaction."""
        made = make_key()
        now = moments.now(self._clock)
        values = {
            "public_id": made.public_id,
            "secret_hash": hasher.hash(made.key),
            "name": draft.name,
            "feature": draft.feature,
            "tenant": draft.tenant,
            "environment": draft.environment,
            "created_at": now,
            "created_by": actor,
            "expires_at": moments.stored(draft.expires_at),
        }
        async with self._engine.begin() as connection:
            await connection.execute(insert(keys).values(**values))
            if replaces is not None:
                ending = {"expires_at": now + overlap} if overlap else {"revoked_at": now}
                await connection.execute(
                    update(keys).where(keys.c.public_id == replaces).values(replaced_by=made.public_id, **ending)
                )
            verb = f"replaced {replaces} by" if replaces else "made"
            await note(connection, self._clock, "key", f"{verb} key {made.public_id} for {draft.feature}", actor=actor)
        return NewKeyRow(row=await self.get(made.public_id), key=made.key)

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

    async def all(self) -> list[KeyRow]:
        """List all keys, the newest first."""
        async with self._engine.connect() as connection:
            rows = (await connection.execute(select(keys).order_by(keys.c.created_at.desc()))).all()
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
        if found.revoked_at is not None:
            raise KeyOver(f"The key {public_id} was revoked at {found.revoked_at:%Y-%m-%d %H:%M} UTC already.")
        async with self._engine.begin() as connection:
            ending = update(keys).where(keys.c.public_id == public_id).values(revoked_at=moments.now(self._clock))
            await connection.execute(ending)
            await note(connection, self._clock, "key", f"revoked key {public_id} of {found.feature}", actor=actor)
        return await self.get(public_id)

    async def rotate(self, hasher: KeyHasher, public_id: str, *, overlap: timedelta, actor: str) -> NewKeyRow:
        """Make a key like another, which ends after the overlap.

        Raises:
            KeyUnknown: there is none of this id.
            KeyOver: it is not valid any more.
        """
        found = await self.get(public_id)
        now = moments.read_known(moments.now(self._clock))
        if not found.is_valid_at(now):
            raise KeyOver(f"The key {public_id} is not valid any more. Make a new one with `watchkeeper keys create`.")
        draft = KeyDraft(
            feature=found.feature,
            tenant=found.tenant,
            name=found.name,
            environment=found.environment,
            expires_at=found.expires_at,
        )
        return await self.create(hasher, draft, actor=actor, replaces=public_id, overlap=overlap)


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
