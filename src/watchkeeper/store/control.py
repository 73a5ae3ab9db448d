"""The control database: keys, users, drills, and what has been changed; SQLite here or PostgreSQL by URL."""

import asyncio
import os
import sqlite3
from typing import Self

from sqlalchemy import Connection, Engine, String, column, create_engine, event, func, inspect, make_url, select, table
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from watchkeeper.core.clock import Clock
from watchkeeper.core.errors import OperatorError
from watchkeeper.store.alerts import Alerts
from watchkeeper.store.budget_edits import BudgetEdits
from watchkeeper.store.canaries import Canaries
from watchkeeper.store.changes import Changes
from watchkeeper.store.cost_reviews import CostReviews
from watchkeeper.store.drift import Drift
from watchkeeper.store.environments import Environments
from watchkeeper.store.faults import Faults
from watchkeeper.store.freezes import Freezes
from watchkeeper.store.gates import Gates
from watchkeeper.store.grants import Grants
from watchkeeper.store.keys import Keys
from watchkeeper.store.labels import Labels
from watchkeeper.store.ledger import Ledger
from watchkeeper.store.online import OnlineCursors
from watchkeeper.store.outbox import Outbox
from watchkeeper.store.people import People
from watchkeeper.store.prices import Prices
from watchkeeper.store.promotions import Promotions
from watchkeeper.store.purges import Purges
from watchkeeper.store.releases import Releases
from watchkeeper.store.reviews import Reviews
from watchkeeper.store.rollouts import Rollouts
from watchkeeper.store.run_history import RunHistory
from watchkeeper.store.runs import Runs
from watchkeeper.store.schedules import Schedules
from watchkeeper.store.share_links import ShareLinks
from watchkeeper.store.standings import Standings
from watchkeeper.store.suite_cases import SuiteCases
from watchkeeper.store.suites import Suites
from watchkeeper.store.tables import REVISION

BUSY_S = 30
MIGRATION_LOCK = 0x77_6B_01
"""Number of PostgreSQL's lock under which the schema is changed."""
_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+psycopg"}


class ControlUnusable(OperatorError):
    """The control database cannot be opened; nothing in it was changed."""

    code = "control_store"


class ControlStore:
    """The questions asked of the control database, by capability."""

    def __init__(self, engine: AsyncEngine, clock: Clock) -> None:
        self._engine = engine
        self.alerts = Alerts(engine, clock)
        self.budget_edits = BudgetEdits(engine, clock)
        self.canaries = Canaries(engine, clock)
        self.changes = Changes(engine, clock)
        self.cost_reviews = CostReviews(engine, clock)
        self.drift = Drift(engine, clock)
        self.environments = Environments(engine, clock)
        self.faults = Faults(engine, clock)
        self.freezes = Freezes(engine, clock)
        self.gates = Gates(engine, clock)
        self.grants = Grants(engine, clock)
        self.keys = Keys(engine, clock)
        self.labels = Labels(engine, clock)
        self.ledger = Ledger(engine, clock)
        self.online = OnlineCursors(engine, clock)
        self.outbox = Outbox(engine, clock)
        self.people = People(engine, clock)
        self.prices = Prices(engine, clock)
        self.promotions = Promotions(engine, clock)
        self.purges = Purges(engine, clock)
        self.releases = Releases(engine, clock)
        self.reviews = Reviews(engine, clock)
        self.rollouts = Rollouts(engine, clock, self.alerts)
        self.run_history = RunHistory(engine)
        self.runs = Runs(engine, clock)
        self.share_links = ShareLinks(engine, clock)
        self.standings = Standings(engine)
        self.suite_cases = SuiteCases(engine)
        self.schedules = Schedules(engine, clock)
        self.suites = Suites(engine, clock)

    @classmethod
    async def open(cls, url: str, clock: Clock) -> Self:
        """Open the database and bring its schema up to date.

        Args:
            url: `sqlite:///path` or `postgresql://user:password@host/database`.

        Raises:
            ControlUnusable: it cannot be opened, or a newer version has written it.
        """
        await asyncio.to_thread(_bring_up_to_date, url)
        scheme, separator, rest = url.partition("://")
        # What a statement holds, answers of models among it, stands in no log.
        engine = create_async_engine(f"{_DRIVERS.get(scheme, scheme)}{separator}{rest}", hide_parameters=True)
        if scheme == "sqlite":
            _listen(engine.sync_engine)
        return cls(engine, clock)

    async def answers(self) -> bool:
        """Tell whether the database can be read now."""
        try:
            async with self._engine.connect() as connection:
                await connection.execute(select(1))
        except SQLAlchemyError:
            return False
        return True

    async def close(self) -> None:
        """Let go of the database."""
        await self._engine.dispose()


def _bring_up_to_date(url: str) -> None:
    """Migrate on a connection without a loop: one that fails then leaves no thread of a driver behind."""
    scheme, separator, rest = url.partition("://")
    engine = create_engine(f"{'postgresql+psycopg' if scheme == 'postgresql' else scheme}{separator}{rest}")
    try:
        if scheme == "sqlite":
            # Of two who migrate at once, the second waits, and finds nothing left to do.
            _listen(engine, begin="BEGIN IMMEDIATE")
            _make_for_owner(make_url(url).database or "")
        with engine.begin() as connection:
            _migrate(connection)
    except (SQLAlchemyError, OSError) as error:
        where = make_url(url).render_as_string(hide_password=True)
        reason = str(getattr(error, "orig", None) or getattr(error, "strerror", None) or error).partition("\n")[0]
        raise ControlUnusable(
            f"The control database {where} cannot be opened: {reason}. "
            "See that it is there and may be written to; nothing was changed."
        ) from error
    finally:
        engine.dispose()


def _make_for_owner(path: str) -> None:
    """Make the file, where there is none, for its owner only; SQLite gives the files beside it the same mode."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


def _listen(engine: Engine, *, begin: str = "BEGIN") -> None:
    event.listen(engine, "connect", _tune_sqlite)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(_begin(connection, begin)))


def _begin(connection: Connection, otherwise: str) -> str:
    """A transaction that reads before it writes says so at once: it cannot become a writer when another was one."""
    return str(connection.get_execution_options().get("sqlite_begin", otherwise))


def _tune_sqlite(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    # The driver would begin transactions by itself, but not before DDL: a migration that fails would stay half done.
    connection.isolation_level = None
    cursor = connection.cursor()
    try:
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_S * 1000}")
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.close()
    except sqlite3.Error:
        # The pool does not know this connection yet and would leave its thread behind.
        connection.close()
        raise


def _is_up_to_date(connection: Connection) -> bool:
    if not inspect(connection).has_table("alembic_version"):
        return False
    done = select(column("version_num", String)).select_from(table("alembic_version"))
    return connection.execute(done).scalars().all() == [REVISION]


def _migrate(connection: Connection) -> None:
    if _is_up_to_date(connection):
        return
    # It takes 0.13 s to load, which every command without a keeper would wait for.
    from alembic import command, config, script, util

    steps = config.Config()
    steps.set_main_option("script_location", "watchkeeper.store:migrations")
    steps.attributes["connection"] = connection
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(MIGRATION_LOCK)))
    try:
        command.upgrade(steps, "head")
    except util.CommandError as error:
        head = script.ScriptDirectory.from_config(steps).get_current_head()
        raise ControlUnusable(
            f"The control database was written by a newer version; this one knows steps up to {head}. "
            f"Start that version, or use another data folder. Nothing was changed. ({error})"
        ) from error
