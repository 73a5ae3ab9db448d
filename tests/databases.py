"""Databases on a real PostgreSQL, which the tests start themselves."""

import contextlib
import secrets
from collections.abc import Iterator
from urllib.parse import urlsplit

import psycopg


@contextlib.contextmanager
def new_database(server: str) -> Iterator[str]:
    """Make a database on a server; yield its URL, and drop it afterwards."""
    name = f"wk_test_{secrets.token_hex(6)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
        yield urlsplit(server)._replace(path=f"/{name}").geturl()
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
