"""Suites as the control database keeps them: each version written once, under its id."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from watchkeeper.core.clock import Clock
from watchkeeper.core.errors import CallerError
from watchkeeper.evals import suite as suites
from watchkeeper.evals.soundness import unsound
from watchkeeper.evals.suite import SUITE_PREFIX, Suite, canonical, suite_id
from watchkeeper.store import moments
from watchkeeper.store.changes import changed, note
from watchkeeper.store.conflicts import insert_into
from watchkeeper.store.deciding import deciding
from watchkeeper.store.eval_tables import eval_suite_heads, eval_suites

LISTED_MAX = 500
PREFIX_MIN = 4
FAULTS_MAX = 10
"""Told of a suite that is refused."""
SUITE_BYTES_MAX = 60 * 1024 * 1024


class SuiteUnknown(CallerError):
    """There is no suite of this name or id."""

    code = "suite_not_found"
    http_status = 404


class SuiteUnsound(CallerError):
    """What a suite holds would count for something else than it says; nothing was kept."""

    code = "suite_refused"
    http_status = 422


class SuiteTooLarge(CallerError):
    """A suite is larger than what is kept; nothing was."""

    code = "suite_too_large"
    http_status = 413


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteRow:
    """A version of a suite, without its content."""

    id: str
    feature: str
    name: str
    cases: int
    author: str
    message: str
    at: datetime
    is_latest: bool

    @property
    def title(self) -> str:
        """Return `FEATURE/NAME`."""
        return f"{self.feature}/{self.name}"


_HEAD = (
    eval_suites.c.id, eval_suites.c.feature, eval_suites.c.name, eval_suites.c.cases, eval_suites.c.author,
    eval_suites.c.message, eval_suites.c.at, eval_suite_heads.c.suite,
)  # fmt: skip
_OF_NAME = (eval_suite_heads.c.feature == eval_suites.c.feature) & (eval_suite_heads.c.name == eval_suites.c.name)


class Suites:
    """Keeps suites and finds them."""

    def __init__(self, engine: AsyncEngine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    async def save(self, suite: Suite, *, by: str, message: str = "") -> tuple[SuiteRow, bool]:
        """Keep a suite as the latest version under its name; return it, and whether it was another one before.

        Raises:
            SuiteTooLarge: it is.
            SuiteUnsound: it could not be counted.
        """
        if wrong := list(islice(unsound(suite), FAULTS_MAX)):
            raise SuiteUnsound(" ".join([*wrong, "Nothing was kept."]))
        content, saved = canonical(suite), suite_id(suite)
        if len(content) > SUITE_BYTES_MAX:
            raise SuiteTooLarge(f"The suite is larger than {SUITE_BYTES_MAX // 2**20} MiB; split it. Nothing was kept.")
        async with deciding(self._engine) as connection:
            where = (eval_suite_heads.c.feature == suite.feature, eval_suite_heads.c.name == suite.name)
            before = (await connection.execute(select(eval_suite_heads.c.suite).where(*where))).scalar_one_or_none()
            if before != saved:
                now = moments.now(self._clock)
                row = {
                    "id": saved, "feature": suite.feature, "name": suite.name, "content": content.decode(),
                    "cases": len(suite.cases), "author": by, "message": message, "at": now,
                }  # fmt: skip
                await connection.execute(insert_into(connection, eval_suites).values(**row).on_conflict_do_nothing())
                head = {"feature": suite.feature, "name": suite.name, "suite": saved, "at": now, "by": by}
                statement = insert_into(connection, eval_suite_heads).values(**head)
                keys = ["feature", "name"]
                moved = {name: head[name] for name in ("suite", "at", "by")}
                await connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=moved))
                detail = changed({"suite": before} if before else None, {"suite": saved, "cases": len(suite.cases)})
                said = f"saved the suite {suite.title}, {len(suite.cases)} cases"
                await note(connection, self._clock, "suite", said, actor=by, detail=detail, feature=suite.feature)
            query = select(*_HEAD).join(eval_suite_heads, _OF_NAME).where(eval_suites.c.id == saved)
            return _read((await connection.execute(query)).one()), before != saved

    async def get(self, wanted: str) -> tuple[SuiteRow, Suite]:
        """Return a version by its id or a beginning of it, or the latest of `FEATURE/NAME`.

        Raises:
            SuiteUnknown: there is none, or several begin so.
        """
        query = select(*_HEAD, eval_suites.c.content).join(eval_suite_heads, _OF_NAME).limit(2)
        feature, slash, name = wanted.partition("/")
        if slash:
            query = query.where(
                eval_suites.c.id == eval_suite_heads.c.suite,
                eval_suites.c.feature == feature,
                eval_suites.c.name == name,
            )
        elif len(wanted) >= len(SUITE_PREFIX) + PREFIX_MIN and wanted.removeprefix(SUITE_PREFIX).isalnum():
            query = query.where(eval_suites.c.id.startswith(wanted))
        else:
            raise SuiteUnknown(f"{wanted[:60]!r} names no suite: write FEATURE/NAME, or the id of a version.")
        async with self._engine.connect() as connection:
            rows = (await connection.execute(query)).all()
        if len(rows) != 1:
            why = "several begin so; write more of it" if rows else "`watchkeeper eval suites` lists those there are"
            raise SuiteUnknown(f"There is no one suite {wanted[:60]!r}: {why}.")
        return _read(rows[0]), suites.decode(rows[0].content)

    async def head(self, feature: str, name: str) -> SuiteRow:
        """Return the latest version of a suite, without its cases.

        Raises:
            SuiteUnknown: there is no such suite.
        """
        query = select(*_HEAD).join(eval_suite_heads, eval_suite_heads.c.suite == eval_suites.c.id)
        query = query.where(eval_suite_heads.c.feature == feature, eval_suite_heads.c.name == name)
        async with self._engine.connect() as connection:
            row = (await connection.execute(query)).one_or_none()
        if row is None:
            raise SuiteUnknown(
                f"There is no suite {f'{feature}/{name}'[:60]!r}; `watchkeeper eval suites` lists those there are."
            )
        return _read(row)

    async def latest(self, features: Collection[str] | None = None) -> list[SuiteRow]:
        """List the latest version of each suite by feature and name.

        Args:
            features: Only of these; None for all.
        """
        query = select(*_HEAD).join(eval_suite_heads, eval_suite_heads.c.suite == eval_suites.c.id)
        if features is not None:
            query = query.where(eval_suites.c.feature.in_(features))
        query = query.order_by(eval_suites.c.feature, eval_suites.c.name).limit(LISTED_MAX)
        async with self._engine.connect() as connection:
            return [_read(row) for row in (await connection.execute(query)).all()]

    async def versions(self, feature: str, name: str) -> list[SuiteRow]:
        """List the versions of a suite, the newest first."""
        query = select(*_HEAD).join(eval_suite_heads, _OF_NAME)
        query = query.where(eval_suites.c.feature == feature, eval_suites.c.name == name)
        async with self._engine.connect() as connection:
            rows = await connection.execute(query.order_by(eval_suites.c.number.desc()).limit(LISTED_MAX))
            return [_read(row) for row in rows.all()]


def _read(row: Any) -> SuiteRow:
    return SuiteRow(
        id=row.id,
        feature=row.feature,
        name=row.name,
        cases=row.cases,
        author=row.author,
        message=row.message,
        at=moments.read_known(row.at),
        is_latest=row.suite == row.id,
    )
