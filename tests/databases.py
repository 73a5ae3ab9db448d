"""Databases on a real PostgreSQL, which the tests start themselves."""

import contextlib
import secrets
from collections.abc import Iterator
from urllib.parse import urlsplit

import psycopg
from alembic import command
from alembic.config import Config as Steps
from sqlalchemy import create_engine, text


@contextlib.contextmanager
def new_database(server: str) -> Iterator[str]:
    """Make a database on a server; yield its URL, and drop it afterwards."""
    name = f"wk_test_{secrets.token_hex(6)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
        yield urlsplit(server)._replace(path=f"/{name}").geturl()
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def at_revision(url: str, revision: str, *statements: str) -> None:
    """Bring a fresh control database to where an earlier version left it, with what that version wrote there."""
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        steps = Steps()
        steps.set_main_option("script_location", "watchkeeper.store:migrations")
        steps.attributes["connection"] = connection
        command.upgrade(steps, revision)
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()
