"""The whole application, API and console, over real stores with calls of two features, and people who ask it."""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from tests.integration.control.recorded import ANSWER, a_call, clock_and_ids, record

from watchkeeper.access.keys import KeyHasher
from watchkeeper.access.roles import Grant
from watchkeeper.access.subjects import Pseudonyms
from watchkeeper.access.tokens import API_TOKEN_PREFIX, TokenHasher
from watchkeeper.api.app import build_api
from watchkeeper.api.auth import SESSION_COOKIE, LocalDoor
from watchkeeper.api.services import Routing, Services
from watchkeeper.config.sign_in import Oidc
from watchkeeper.console.app import mount
from watchkeeper.core.call import Call
from watchkeeper.core.clock import Clock
from watchkeeper.store.analytics import AnalyticsStore
from watchkeeper.store.changes import Change, ChangeFilter
from watchkeeper.store.control import ControlStore
from watchkeeper.store.people import TokenDraft
from watchkeeper.testing import FakeClock

FEATURES = ("support", "payroll")
MARKS = {"support": "refundmark", "payroll": "salarymark"}
"""What only calls of the feature say, in their text and in their tenant's name."""


@dataclass(frozen=True)
class Recorded:
    """The analytics store, the time after all calls, and the calls by feature: two of each, in one session."""

    store: AnalyticsStore
    clock: FakeClock
    calls: dict[str, list[Call]]

    @classmethod
    def of(cls, folder: Path) -> Iterator["Recorded"]:
        clock, ids = clock_and_ids()
        calls: dict[str, list[Call]] = {feature: [] for feature in FEATURES}
        for _ in range(2):
            for feature, mark in MARKS.items():
                clock.advance(60)
                question = b'{"model":"gpt-4o-mini","messages":[{"role":"user","content":"%s?"}]}' % mark.encode()
                answer = ANSWER.replace(b"On its way.", f"{mark}!".encode())
                texts = {"request_body": question, "response_body": answer, "tenant": f"{mark} gmbh"}
                calls[feature].append(a_call(ids, clock, feature=feature, session="shared", **texts))
        store = AnalyticsStore.open(f"chdb://{folder}/analytics")
        record(store, [call for some in calls.values() for call in some], token="all")
        clock.advance(60)
        yield cls(store, clock, calls)
        store.close()


@dataclass(frozen=True)
class Staffed:
    """The application and its stores."""

    app: FastAPI
    services: Services
    calls: dict[str, list[Call]]

    @property
    def control(self) -> ControlStore:
        return self.services.control

    async def user(self, name: str, *grants: Grant) -> dict[str, str]:
        """Add a user and return the headers of a session that has just begun."""
        await self.control.people.add_user(name, "hash", actor="local", grants=grants)
        session = f"session-of-{name}"
        await self.control.people.begin_session(self.services.token_hasher.hash(session), name)
        return {"cookie": f"{SESSION_COOKIE}={session}"}

    async def token(self, name: str, *scopes: str, features: Iterable[str] = ("*",)) -> dict[str, str]:
        """Make an API token and return the header that shows it."""
        secret = f"{API_TOKEN_PREFIX}{name}"
        draft = TokenDraft(name=name, scopes=scopes, features=tuple(features))
        await self.control.people.add_token(self.services.token_hasher.hash(secret), draft, actor="local")
        return {"authorization": f"Bearer {secret}"}

    async def ask(self, path: str, headers: dict[str, str], *, method: str = "GET", **more: Any) -> httpx.Response:
        """Ask as whoever the headers show."""
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://watchkeeper") as client:
            return await client.request(method, path, headers=headers, **more)

    async def ask_locally(self, path: str, *, method: str = "GET", **more: Any) -> httpx.Response:
        """Ask as whoever holds the machine."""
        transport = httpx.ASGITransport(LocalDoor(self.app))
        async with httpx.AsyncClient(transport=transport, base_url="http://watchkeeper") as client:
            return await client.request(method, path, **more)

    async def send_form(self, path: str, headers: dict[str, str], **fields: str) -> httpx.Response:
        """Send a form of the console, as a page of the session would."""
        session = headers["cookie"].partition("=")[2]
        form = fields | {"csrf": self.services.token_hasher.csrf(session)}
        return await self.ask(path, headers, method="POST", data=form)

    async def changes(self, kind: str = "") -> list[Change]:
        now = datetime.fromtimestamp(self.services.clock.unix_ns() / 1e9, UTC)
        chosen = ChangeFilter(kind=kind)
        return await self.control.changes.between(now - timedelta(days=30), now + timedelta(seconds=1), chosen)


@asynccontextmanager
async def staffed(
    recorded: Recorded, folder: Path, *, oidc: Callable[[], Oidc | None] = lambda: None, clock: Clock | None = None
) -> AsyncIterator[Staffed]:
    """Build the application as the keeper does."""
    clock = clock or recorded.clock
    control = await ControlStore.open(f"sqlite:///{folder}/control.db", clock)
    services = Services(
        control=control,
        analytics=recorded.store,
        key_hasher=KeyHasher(b"k" * 32),
        token_hasher=TokenHasher(b"t" * 32),
        pseudonyms=Pseudonyms(b"p" * 32),
        clock=clock,
        oidc=oidc,
        on_control_change=lambda: None,
        health=lambda: {"config": {"refused": None}, "ingest": {"trouble": None}, "snapshot": "abc"},
        declared_features=lambda: frozenset(FEATURES),
        gateway_url="http://127.0.0.1:4000/v1",
        first_model=lambda: "support-chat",
        routing=lambda: Routing(targets={"support-chat": frozenset({"openai/gpt-4o-mini"})}, providers=frozenset()),
    )
    app = build_api(services)
    mount(app, services)
    yield Staffed(app, services, recorded.calls)
    await control.close()
