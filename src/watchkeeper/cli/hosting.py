"""The control API in this process, for one request: what a command asks when no keeper runs."""

from dataclasses import replace
from pathlib import Path
from typing import IO

import httpx
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from watchkeeper.access.node import NodeSecrets
from watchkeeper.api.app import build_api
from watchkeeper.api.auth import LocalDoor
from watchkeeper.api.services import CostBasis, ReleaseBasis
from watchkeeper.config.load import ConfigError, load
from watchkeeper.config.schema import Config
from watchkeeper.core.clock import SystemClock
from watchkeeper.core.errors import OperatorError
from watchkeeper.server.folder import DataFolder
from watchkeeper.server.parts import Stores, build_services


async def answer(
    folder: DataFolder, method: str, path: str, body: bytes | None, *, into: IO[bytes] | None = None
) -> tuple[int, bytes]:
    """Open the stores of a folder that the caller holds, answer, and close them; return status and body.

    The body of a good answer goes into a file instead, piece by piece, where there is one to take it.
    """
    clock = SystemClock()
    config, trouble = _config_of(folder)
    async with Stores.opened(folder, clock, config, analytics_when_asked=True) as stores:
        services = build_services(
            stores,
            NodeSecrets.load(folder.node_key),
            clock,
            desired=None,
            gateway_url="",
            cost_basis=lambda: _cost_basis(config),
            config=config,
        )
        if trouble is not None:
            services = replace(services, release_basis=lambda: _unknown_rules(trouble))
        api = build_api(replace(services, declared_budgets=lambda: config.budgets))
        api.add_exception_handler(OperatorError, _raise)
        door = LocalDoor(api)
        transport = httpx.ASGITransport(door if into is None else _Diversion(door, into))
        async with httpx.AsyncClient(transport=transport, base_url="http://watchkeeper") as client:
            headers = {"content-type": "application/json"}
            response = await client.request(method, path, content=body, headers=headers)
            return response.status_code, response.content


class _Diversion:
    """Leads the body of a good answer into a file; the transport would gather all of it in memory."""

    def __init__(self, app: ASGIApp, into: IO[bytes]) -> None:
        self._app = app
        self._into = into

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_good = False

        async def divert(message: Message) -> None:
            nonlocal is_good
            if message["type"] == "http.response.start":
                is_good = message["status"] < 400
            elif is_good and message["type"] == "http.response.body":
                self._into.write(message.get("body", b""))
                message = {**message, "body": b""}
            await send(message)

        await self._app(scope, receive, divert)


def _raise(_: Request, error: Exception) -> Response:
    """What is wrong with the set-up is not an answer here: whoever types the command can mend it."""
    raise error


def _cost_basis(config: Config) -> CostBasis:
    # All price lists come with it, which few commands need.
    from watchkeeper.server.cost_basis import lone_cost_basis

    return lone_cost_basis(config)


def _config_of(folder: DataFolder) -> tuple[Config, ConfigError | None]:
    """The configuration of the latest start; one that cannot be read any more says nothing of where the stores are."""
    try:
        return load(Path(folder.last_config.read_text())).config, None
    except OSError:
        return Config(), None
    except ConfigError as error:
        return Config(), error


def _unknown_rules(trouble: ConfigError) -> ReleaseBasis:
    """What an environment asks for before a promotion stands in the configuration."""
    raise trouble
