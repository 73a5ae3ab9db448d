"""Links that show the quality page of one feature to whoever holds them, until they end or are taken back."""

import secrets
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from sqlalchemy import Row, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from watchkeeper.core.clock import Clock
from watchkeeper.core.errors import CallerError
from watchkeeper.store import moments
from watchkeeper.store.changes import changed, note
from watchkeeper.store.deciding import deciding
from watchkeeper.store.quality_tables import share_links
from watchkeeper.store.tables import changes

KIND = "share"
"""Of changes."""
DAYS_MAX = 365
OPEN_MAX = 20
"""Links of one feature that are good at the same time."""
LISTED_MAX = 200
ID_PREFIX = "shr-"


class ShareUnknown(CallerError):
    """There is no such link, or it has ended."""

    code = "share_not_found"
    http_status = 404


class TooManyShares(CallerError):
    """A feature has as many links as it may have; none was made."""

    code = "too_many_shares"
    http_status = 409


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareLink:
    """One link, without its token, which nobody keeps."""

    id: str
    feature: str
    name: str
    """For whom, in words of whoever made it."""
    by: str
    at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    revoked_by: str

    def is_good(self, now: datetime) -> bool:
        """Tell whether it opens the page."""
        return self.revoked_at is None and now < self.expires_at


class ShareLinks:
    """Makes links, takes them back, and finds the one that a token belongs to."""

    def __init__(self, engine: AsyncEngine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    async def make(self, token_hash: str, feature: str, *, name: str, days: int, by: str) -> ShareLink:
        """Keep a link, and note it as a change.

        Raises:
            TooManyShares: the feature has as many as it may have.
        """
        now = moments.now(self._clock)
        values = {
            "id": ID_PREFIX + secrets.token_hex(5), "hash": token_hash, "feature": feature, "name": name, "by": by,
            "at": now, "expires_at": now + timedelta(days=days), "revoked_by": "",
        }  # fmt: skip
        good = (share_links.c.feature == feature, share_links.c.revoked_at.is_(None), share_links.c.expires_at > now)
        async with deciding(self._engine) as connection:
            count = (await connection.execute(select(func.count()).select_from(share_links).where(*good))).scalar_one()
            if count >= OPEN_MAX:
                raise TooManyShares(
                    f"{feature} has {OPEN_MAX} links already; none was made. Take one back: `watchkeeper eval shares`."
                )
            row = (await connection.execute(insert(share_links).values(**values).returning(share_links))).one()
            said = f"shared the quality page of {feature} until {values['expires_at']:%Y-%m-%d}"
            detail = changed(None, {"share": row.id, "name": name, "expires_at": values["expires_at"]})
            await note(connection, self._clock, KIND, said, actor=by, detail=detail, feature=feature)
        return _read(row)

    async def revoke(self, share: str, *, by: str) -> ShareLink:
        """Take a link back, and note it as a change; of one that was taken back already, nothing changes.

        Raises:
            ShareUnknown: there is no such link.
        """
        values = {"revoked_at": moments.now(self._clock), "revoked_by": by}
        of = share_links.c.id == share
        async with deciding(self._engine) as connection:
            done = await connection.execute(
                update(share_links).where(of, share_links.c.revoked_at.is_(None)).values(**values)
            )
            row = (await connection.execute(select(share_links).where(of))).one_or_none()
            if row is None:
                raise _unknown(share)
            if done.rowcount:
                said = f"took back the link {share} to the quality page of {row.feature}"
                detail = changed({"share": share, "is_good": True}, {"share": share, "is_good": False})
                await note(connection, self._clock, KIND, said, actor=by, detail=detail, feature=row.feature)
        return _read(row)

    async def get(self, share: str) -> ShareLink:
        """Return a link by its id.

        Raises:
            ShareUnknown: there is no such link.
        """
        async with self._engine.connect() as connection:
            row = (await connection.execute(select(share_links).where(share_links.c.id == share))).one_or_none()
        if row is None:
            raise _unknown(share)
        return _read(row)

    async def listed(self, features: Collection[str] | None = None) -> list[ShareLink]:
        """List links, the newest first.

        Args:
            features: Only of these; None for all.
        """
        query = select(share_links).order_by(share_links.c.at.desc(), share_links.c.id).limit(LISTED_MAX)
        if features is not None:
            query = query.where(share_links.c.feature.in_(features))
        async with self._engine.connect() as connection:
            return [_read(row) for row in (await connection.execute(query)).all()]

    async def opened(self, token_hash: str) -> ShareLink | None:
        """Return the link that a token belongs to, if it is good; that it was opened is noted once a day."""
        async with self._engine.connect() as connection:
            row = (await connection.execute(select(share_links).where(share_links.c.hash == token_hash))).one_or_none()
        now = datetime.fromtimestamp(self._clock.unix_ns() / 1e9, UTC)
        link = None if row is None else _read(row)
        if link is None or not link.is_good(now):
            return None
        await self._note_opening(link, now)
        return link

    async def _note_opening(self, link: ShareLink, now: datetime) -> None:
        once = sha256(f"{KIND} {now:%Y-%m-%d} {link.id}".encode()).hexdigest()
        async with self._engine.connect() as connection:
            if (await connection.execute(select(changes.c.id).where(changes.c.once == once))).one_or_none():
                return
        summary = f"the quality page of {link.feature} was opened by the link {link.id}"
        values = {
            "at": moments.stored(now), "actor": link.id, "kind": KIND, "summary": summary, "feature": link.feature,
            "detail": {"share": link.id, "name": link.name}, "once": once,
        }  # fmt: skip
        # Of several who open it at once, one notes it.
        with suppress(IntegrityError):
            async with self._engine.begin() as connection:
                await connection.execute(insert(changes).values(**values))


def _unknown(share: str) -> ShareUnknown:
    return ShareUnknown(f"There is no link {share[:60]!r}; `watchkeeper eval shares` lists those there are.")


def _read(row: Row[Any]) -> ShareLink:
    return ShareLink(
        id=row.id,
        feature=row.feature,
        name=row.name,
        by=row.by,
        at=moments.read_known(row.at),
        expires_at=moments.read_known(row.expires_at),
        revoked_at=moments.read(row.revoked_at),
        revoked_by=row.revoked_by,
    )
