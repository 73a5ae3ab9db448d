"""The control API in this process, for one request: what a command asks when no keeper runs."""

from pathlib import Path

import httpx
from starlette.requests import Request
from starlette.responses import Response

from watchkeeper.access.node import NodeSecrets
from watchkeeper.api.app import build_api
from watchkeeper.api.auth import LocalDoor
from watchkeeper.config.load import ConfigError, load
from watchkeeper.config.schema import Config
from watchkeeper.core.clock import SystemClock
from watchkeeper.core.errors import OperatorError
from watchkeeper.server.folder import DataFolder
from watchkeeper.server.parts import Stores, build_services


async def answer(folder: DataFolder, method: str, path: str, body: bytes | None) -> tuple[int, bytes]:
    """Open the stores of a folder that the caller holds, answer, and close them; return status and body."""
    clock = SystemClock()
    async with Stores.opened(folder, clock, _config_of(folder), analytics_when_asked=True) as stores:
        services = build_services(stores, NodeSecrets.load(folder.node_key), clock, desired=None, gateway_url="")
        api = build_api(services)
        api.add_exception_handler(OperatorError, _raise)
        transport = httpx.ASGITransport(LocalDoor(api))
        async with httpx.AsyncClient(transport=transport, base_url="http://watchkeeper") as client:
            headers = {"content-type": "application/json"}
            response = await client.request(method, path, content=body, headers=headers)
            return response.status_code, response.content


def _raise(_: Request, error: Exception) -> Response:
    """What is wrong with the set-up is not an answer here: whoever types the command can mend it."""
    raise error


def _config_of(folder: DataFolder) -> Config:
    """The configuration of the latest start; one that cannot be read any more says nothing of where the stores are."""
    try:
        return load(Path(folder.last_config.read_text())).config
    except (OSError, ConfigError):
        return Config()
