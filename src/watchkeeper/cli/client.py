"""Asks the control API: the keeper's, over the socket in the data folder, or the same API in this process."""

import asyncio
from pathlib import Path
from typing import Any

import httpx

from watchkeeper.access.node import NodeSecrets
from watchkeeper.cli.outcome import FAILED, NOT_FOUND, SET_UP, CommandFailed
from watchkeeper.config.load import ConfigError, load
from watchkeeper.config.schema import Config
from watchkeeper.core.clock import SystemClock
from watchkeeper.server.folder import DataFolder, FolderLock

TIMEOUT_S = 60.0
_BASE = "http://watchkeeper"


def get(data: Path, path: str, **query: Any) -> dict[str, Any]:
    """Ask; parameters that are None or empty are left out.

    Raises:
        CommandFailed: the API refused, in its own words.
    """
    return request(data, "GET", path, query={name: value for name, value in query.items() if value not in (None, "")})


def post(data: Path, path: str, **body: Any) -> dict[str, Any]:
    """Ask for a change; fields that are None are left out."""
    return request(data, "POST", path, body={name: value for name, value in body.items() if value is not None})


def request(
    data: Path, method: str, path: str, *, query: dict[str, Any] | None = None, body: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Send one request to whichever serves the data folder."""
    folder = DataFolder(data.resolve())
    try:
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(folder.socket)), timeout=TIMEOUT_S) as client:
            return _read(client.request(method, _BASE + path, params=query, json=body))
    except httpx.ConnectError:
        return asyncio.run(_request_here(folder, method, path, query, body))
    except httpx.TransportError as error:
        raise CommandFailed(f"The keeper did not answer: {str(error) or type(error).__name__}. Try again.") from error


async def _request_here(
    folder: DataFolder, method: str, path: str, query: dict[str, Any] | None, body: dict[str, Any] | None
) -> dict[str, Any]:
    if not folder.node_key.exists():
        raise CommandFailed(
            f"There is no Watchkeeper data in {folder.root}. Start it with `watchkeeper up --data {folder.root}`, "
            "or name its folder with --data or WATCHKEEPER_DATA.",
            exit_code=SET_UP,
        )
    folder.check_version()
    # These load both databases' engines, which a command that reaches a running keeper does not need.
    from watchkeeper.api.app import build_api
    from watchkeeper.api.auth import LocalDoor  # as above
    from watchkeeper.server.parts import Stores, build_services  # as above

    clock = SystemClock()
    with FolderLock(folder):
        async with Stores.opened(folder, clock, _config_of(folder)) as stores:
            services = build_services(stores, NodeSecrets.load(folder.node_key), clock, desired=None, gateway_url="")
            transport = httpx.ASGITransport(LocalDoor(build_api(services)))
            async with httpx.AsyncClient(transport=transport, timeout=TIMEOUT_S) as client:
                return _read(await client.request(method, _BASE + path, params=query, json=body))


def _config_of(folder: DataFolder) -> Config:
    """The configuration of the latest start; one that cannot be read any more says nothing of where the stores are."""
    try:
        return load(Path(folder.last_config.read_text())).config
    except (OSError, ConfigError):
        return Config()


def _read(response: httpx.Response) -> dict[str, Any]:
    document: dict[str, Any] = response.json()
    if response.is_success or "error" not in document:
        return document
    error = document["error"]
    raise CommandFailed(error["message"], exit_code=NOT_FOUND if response.status_code == 404 else FAILED)
