"""The control database on both of its engines, each test with a fresh one; and commands to run."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.databases import new_database
from tests.integration.control.commands import Command, LoneCommand, new_folder

from watchkeeper.store.control import ControlStore
from watchkeeper.testing import FakeClock


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/control.db"
        return
    server: str = request.getfixturevalue("postgresql")
    with new_database(server) as found:
        yield found


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
