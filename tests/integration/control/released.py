"""Releases for tests: recipes as people write them, and the API over a control database of its own."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
from tests.integration.control.commands import Keeper

from watchkeeper.access.keys import KeyHasher
from watchkeeper.access.node import NodeSecrets
from watchkeeper.access.subjects import Pseudonyms
from watchkeeper.access.tokens import API_TOKEN_PREFIX, TokenHasher
from watchkeeper.api.app import build_api
from watchkeeper.api.auth import LocalDoor
from watchkeeper.api.services import ReleaseBasis, Services
from watchkeeper.config.schema import Config
from watchkeeper.core.clock import SystemClock
from watchkeeper.releases.authoring import read_authored
from watchkeeper.releases.recipe import Recipe
from watchkeeper.releases.rules import Rules
from watchkeeper.server.parts import Stores, build_services
from watchkeeper.server.release_basis import release_basis
from watchkeeper.store.analytics import AnalyticsStore
from watchkeeper.store.control import ControlStore
from watchkeeper.store.people import TokenDraft
from watchkeeper.testing import FakeClock

SUPPORT: dict[str, Any] = {
    "feature": "support",
    "model": "gpt-4o-mini",
    "messages": [
        {"role": "system", "content": "You answer for {{ company }}, in {{ language }}."},
        {"role": "user", "content": "{{ question }}"},
    ],
    "variables": {
        "company": {"type": "string"},
        "language": {"type": "string", "default": "English"},
        "question": {"type": "string"},
    },
    "parameters": {"temperature": 0, "max_tokens": 200},
    "output": {"schema": {"type": "object", "required": ["answer"]}, "repair": "once"},
}
BASIS = ReleaseBasis(
    environments={
        "development": Rules(),
        "staging": Rules(),
        "production": Rules(approvals=1, gates=("answers",)),
        "free": Rules(),
    },
    models=frozenset({"gpt-4o-mini", "support-chat"}),
    providers=frozenset({"openai"}),
)


def variant(text: str, **more: Any) -> dict[str, Any]:
    """The recipe with another system message."""
    return SUPPORT | {"messages": [{"role": "system", "content": text}, SUPPORT["messages"][1]]} | more


def recipe(text: str = "Be kind.", feature: str = "support") -> Recipe:
    """A recipe that is told from others by its text."""
    return read_authored(
        {"feature": feature, "model": "gpt-4o-mini", "messages": [{"role": "system", "content": text}]}
    )


@dataclass
class Asked:
    """The API as different people ask it."""

    services: Services
    clock: FakeClock
    told: list[str] = field(default_factory=list[str])
    _headers: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])

    @property
    def control(self) -> ControlStore:
        return self.services.control

    async def person(self, name: str, *scopes: str, features: tuple[str, ...] = ("*",)) -> str:
        """Make somebody with a token, and return how they are named."""
        secret = f"{API_TOKEN_PREFIX}{name}"
        draft = TokenDraft(name=name, scopes=scopes or ("*",), features=features)
        await self.control.people.add_token(self.services.token_hasher.hash(secret), draft, actor="local")
        self._headers[name] = {"authorization": f"Bearer {secret}"}
        return f"token:{name}"

    async def reply(self, method: str, path: str, by: str = "", **more: Any) -> httpx.Response:
        app = build_api(self.services)
        transport = httpx.ASGITransport(app if by else LocalDoor(app), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://wk") as client:
            return await client.request(method, f"/api/v1{path}", headers=self._headers.get(by), **more)

    async def get(self, path: str, **query: Any) -> Any:
        reply = await self.reply("GET", path, params=query)
        assert reply.status_code == 200, reply.text
        return reply.json()

    async def post(self, path: str, by: str = "", **body: Any) -> Any:
        reply = await self.reply("POST", path, by, json=body)
        assert reply.status_code < 300, reply.text
        return reply.json()

    async def refused(self, path: str, by: str = "", **body: Any) -> Mapping[str, Any]:
        reply = await self.reply("POST", path, by, json=body)
        assert reply.status_code >= 400, reply.text
        return {"status": reply.status_code, **reply.json()["error"]}

    async def push(self, text: str, parent: str = "", by: str = "", **more: Any) -> str:
        """Push a variant and return its id."""
        pushed = await self.post("/releases", by, recipe=variant(text, **more), parent=parent, message=text)
        return str(pushed["release"]["id"])


class ReleaseKeeper(Keeper):
    """The control API on a data folder's socket, with rules that a test may change; without calls."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, lambda ids, clock: {})
        self.config = Config()
        self.workers: dict[str, int] = {}
        """By worker: the version that it serves by."""
        self.is_followed = True
        """Whether workers take in what they are told."""

    @asynccontextmanager
    async def _app(self) -> AsyncIterator[LocalDoor]:
        control = await ControlStore.open(f"sqlite:///{self.folder.control_db}", SystemClock())
        stores = Stores(control, AnalyticsStore("chdb:///nowhere"))
        secrets = NodeSecrets.load(self.folder.node_key)
        services = build_services(stores, secrets, SystemClock(), desired=None, gateway_url="")

        async def tell() -> None:
            if self.is_followed:
                self.workers = dict.fromkeys(self.workers, await control.environments.version())

        services = replace(
            services,
            release_basis=lambda: release_basis(self.config),
            on_release_change=tell,
            arrival=lambda: self.workers,
        )
        yield LocalDoor(build_api(services))
        await control.close()


@asynccontextmanager
async def asked(url: str, clock: FakeClock, basis: ReleaseBasis = BASIS) -> AsyncIterator[Asked]:
    """Build the API over a control database."""
    control = await ControlStore.open(url, clock)
    told: list[str] = []

    async def tell() -> None:
        told.append("told")

    services = Services(
        control=control,
        analytics=AnalyticsStore("chdb:///nowhere"),
        key_hasher=KeyHasher(b"k" * 32),
        token_hasher=TokenHasher(b"t" * 32),
        pseudonyms=Pseudonyms(b"p" * 32),
        clock=clock,
        on_control_change=lambda: None,
        health=dict,
        declared_features=frozenset,
        gateway_url="",
        first_model=str,
        routing=lambda: None,
        release_basis=lambda: basis,
        on_release_change=tell,
    )
    yield Asked(services, clock, told)
    await control.close()
