"""The transaction in which somebody looks at what is live and at its rules, and then changes it: one at a time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

LOCK = 0x77_6B_02
"""Number of PostgreSQL's lock under which it is decided what is live."""


@asynccontextmanager
async def deciding(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """Open a transaction beside which no other of its kind runs: what it reads holds until it ends."""
    async with engine.execution_options(sqlite_begin="BEGIN IMMEDIATE").begin() as connection:
        if connection.dialect.name == "postgresql":
            await connection.execute(select(func.pg_advisory_xact_lock(LOCK)))
        yield connection
