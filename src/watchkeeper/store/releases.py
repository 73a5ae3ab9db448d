"""Releases as the control database keeps them: written once, never changed."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from watchkeeper.core.clock import Clock
from watchkeeper.core.errors import CallerError
from watchkeeper.releases import recipe as recipes
from watchkeeper.releases.recipe import ID_PREFIX, Recipe, ReleaseId, canonical, release_id
from watchkeeper.store import moments
from watchkeeper.store.changes import changed, note
from watchkeeper.store.conflicts import insert_into
from watchkeeper.store.deciding import deciding
from watchkeeper.store.tables import blocks, release_heads, releases

LISTED_MAX = 500
PREFIX_MIN = 4
"""Characters of a hash that name a release, where no other begins with them."""


class ReleaseUnknown(CallerError):
    """There is no release of this id, or several begin with it."""

    code = "release_not_found"
    http_status = 404


class HeadMoved(CallerError):
    """Somebody has pushed another release of the feature since; nothing was kept of this one."""

    code = "release_conflict"
    http_status = 409

    def __init__(self, message: str, *, head: str) -> None:
        super().__init__(message)
        self.head = head
        """What the feature's latest release is now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseRow:
    """A release."""

    number: int
    """Counts the releases of all features in the order in which they came."""
    id: ReleaseId
    feature: str
    recipe: Recipe
    author: str
    message: str
    parent: str
    """The release it was made from; empty for the first."""
    at: datetime


class Releases:
    """Keeps releases and finds them."""

    def __init__(self, engine: AsyncEngine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    async def push(self, recipe: Recipe, *, parent: str, author: str, message: str) -> tuple[ReleaseRow, bool]:
        """Keep a recipe as the latest release of its feature; return it, and whether it is new.

        A recipe that is the latest already is not kept again; one that was pushed before that becomes the latest again.

        Args:
            recipe: Checked.
            parent: The release it was made from; empty for the first of a feature.
            author: Who pushes.
            message: What was changed and why.

        Raises:
            HeadMoved: the latest release is another one than `parent`.
        """
        pushed, feature = release_id(recipe), recipe.feature
        async with deciding(self._engine) as connection:
            head = await _head(connection, feature)
            if head == pushed:
                return await _row(connection, pushed), False
            if head != parent:
                raise _moved(feature, head, parent)
            now = moments.now(self._clock)
            values = {
                "id": pushed, "feature": feature, "recipe": canonical(recipe).decode(), "author": author,
                "message": message, "parent": parent, "at": now,
            }  # fmt: skip
            statement = insert_into(connection, releases).values(**values).on_conflict_do_nothing()
            added = (await connection.execute(statement.returning(releases.c.id))).all()
            await self._move_head(connection, feature, pushed, author)
            for name, block in recipe.blocks.items():
                kept = {"id": block.id, "name": name, "text": block.text, "at": now, "by": author}
                await connection.execute(insert_into(connection, blocks).values(**kept).on_conflict_do_nothing())
            change = changed({"release": head} if head else None, {"release": pushed})
            detail = {"feature": feature, "message": message, **change}
            summary = f"pushed release {pushed[:12]} of {feature}"
            await note(connection, self._clock, "release", summary, actor=author, detail=detail, feature=feature)
            return await _row(connection, pushed), bool(added)

    async def head(self, feature: str) -> str:
        """Return the latest release of a feature; empty when it has none."""
        async with self._engine.connect() as connection:
            return await _head(connection, feature)

    async def heads(self) -> dict[str, str]:
        """Return the latest release of every feature, by feature."""
        async with self._engine.connect() as connection:
            rows = await connection.execute(select(release_heads.c.feature, release_heads.c.release))
            return {row.feature: row.release for row in rows}

    async def common_ancestor(self, one: str, other: str) -> str:
        """Return the nearest release that both were made from, themselves included; empty where there is none."""
        line = select(releases.c.id, releases.c.parent).where(
            releases.c.feature.in_(select(releases.c.feature).where(releases.c.id.in_((one, other))))
        )
        async with self._engine.connect() as connection:
            parents = {row.id: row.parent for row in await connection.execute(line)}
        reached = set(lineage(parents, one))
        return next((release for release in lineage(parents, other) if release in reached), "")

    async def get(self, release: str) -> ReleaseRow:
        """Return a release by its id, or by a beginning of it that fits no other.

        Raises:
            ReleaseUnknown: none fits, or several do.
        """
        wanted = (release if release.startswith(ID_PREFIX) else ID_PREFIX + release).lower()
        if not wanted.removeprefix(ID_PREFIX).isalnum() or len(wanted) < len(ID_PREFIX) + PREFIX_MIN:
            raise ReleaseUnknown(
                f"{release[:60]!r} names no release: write `wk1-` and at least {PREFIX_MIN} characters."
            )
        query = select(releases).where(releases.c.id.startswith(wanted)).limit(2)
        async with self._engine.connect() as connection:
            rows = (await connection.execute(query)).all()
        if len(rows) != 1:
            why = (
                "several releases begin so; write more of it" if rows else "`watchkeeper release history FEATURE` lists"
            )
            raise ReleaseUnknown(f"There is no one release {release[:60]!r}: {why}.")
        return _read(rows[0])

    async def several(self, ids: Iterable[str]) -> dict[str, ReleaseRow]:
        """Return releases by their whole ids; those that are not there are left out."""
        query = select(releases).where(releases.c.id.in_(set(ids)))
        async with self._engine.connect() as connection:
            rows = (await connection.execute(query)).all()
        return {row.id: _read(row) for row in rows}

    async def of(self, feature: str, *, limit: int = LISTED_MAX) -> list[ReleaseRow]:
        """List the releases of a feature, the latest first."""
        query = select(releases).where(releases.c.feature == feature).order_by(releases.c.number.desc()).limit(limit)
        async with self._engine.connect() as connection:
            rows = (await connection.execute(query)).all()
        return [_read(row) for row in rows]

    async def after(self, number: int, *, limit: int = LISTED_MAX) -> list[ReleaseRow]:
        """List the releases of all features that came after one, the oldest first."""
        query = select(releases).where(releases.c.number > number).order_by(releases.c.number).limit(limit)
        async with self._engine.connect() as connection:
            rows = (await connection.execute(query)).all()
        return [_read(row) for row in rows]

    async def features(self) -> list[str]:
        """List the features that have releases."""
        async with self._engine.connect() as connection:
            return list((await connection.execute(select(release_heads.c.feature).order_by("feature"))).scalars())

    async def block(self, named: str) -> tuple[str, str] | None:
        """Return id and text of a shared block by its id, or the latest of its name; None when there is none."""
        chosen = select(blocks.c.id, blocks.c.text).where((blocks.c.id == named) | (blocks.c.name == named))
        async with self._engine.connect() as connection:
            row = (await connection.execute(chosen.order_by(blocks.c.at.desc()).limit(1))).one_or_none()
        return None if row is None else (row.id, row.text)

    async def _move_head(self, connection: AsyncConnection, feature: str, to: str, by: str) -> None:
        values = {"release": to, "at": moments.now(self._clock), "by": by}
        statement = insert_into(connection, release_heads).values(feature=feature, **values)
        known = [release_heads.c.feature]
        await connection.execute(statement.on_conflict_do_update(index_elements=known, set_=values))


def lineage(parents: Mapping[str, str], release: str) -> Iterator[str]:
    """Yield a release and what it was made from, back to the first."""
    seen: set[str] = set()
    while release in parents and release not in seen:
        seen.add(release)
        yield release
        release = parents[release]


async def _head(connection: AsyncConnection, feature: str) -> str:
    query = select(release_heads.c.release).where(release_heads.c.feature == feature)
    return (await connection.execute(query)).scalar_one_or_none() or ""


async def _row(connection: AsyncConnection, release: str) -> ReleaseRow:
    return _read((await connection.execute(select(releases).where(releases.c.id == release))).one())


def _moved(feature: str, head: str, parent: str) -> HeadMoved:
    made_from = f"was made from {parent}" if parent else "was made from none"
    latest = f"{head} is the latest" if head else "there is none"
    return HeadMoved(
        f"The release of {feature} {made_from}, but {latest}. Nothing was kept: pull, look at what both have changed, "
        "and push again.",
        head=head,
    )


def _read(row: Row[Any]) -> ReleaseRow:
    return ReleaseRow(
        number=row.number,
        id=ReleaseId(row.id),
        feature=row.feature,
        recipe=recipes.decode(row.recipe),
        author=row.author,
        message=row.message,
        parent=row.parent,
        at=moments.read_known(row.at),
    )
