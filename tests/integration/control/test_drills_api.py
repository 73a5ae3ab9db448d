"""Drills and purges over the control API: what is started, and in which words what makes no sense is refused."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest

from watchkeeper.access.keys import KeyHasher
from watchkeeper.access.subjects import Pseudonyms
from watchkeeper.access.tokens import TokenHasher
from watchkeeper.api.app import build_api
from watchkeeper.api.auth import LocalDoor
from watchkeeper.api.faults import OPTIONS
from watchkeeper.api.purges import NAME_MAX
from watchkeeper.api.services import Routing, Services
from watchkeeper.gateway.admit import VALUE_LENGTH_MAX
from watchkeeper.gateway.faults import KINDS, Kind
from watchkeeper.store.analytics import AnalyticsStore
from watchkeeper.store.control import ControlStore
from watchkeeper.store.faults import ACTIVE_MAX
from watchkeeper.store.purges import LivePurge
from watchkeeper.testing import FakeClock

PSEUDONYMS = Pseudonyms(b"p" * 32)
ROUTING = Routing(
    targets={"chat": frozenset({"openai/gpt-4o-mini", "other/gpt-4o"}), "search": frozenset({"other/gpt-4o"})},
    providers=frozenset({"openai", "other"}),
)
PLAIN: dict[str, object] = {"kind": "server_error", "route": "chat", "lasts_s": 600}


@dataclass
class Api:
    """The application as the machine's own operator asks it; the analytics store is never opened."""

    client: httpx.AsyncClient
    services: Services
    changes: list[str] = field(default_factory=list[str])

    async def started(self, **wish: Any) -> dict[str, Any]:
        """Start a fault, which must succeed."""
        reply = await self.client.post("/api/v1/faults", json=PLAIN | wish)
        assert reply.status_code == 201, reply.text
        found: dict[str, Any] = reply.json()
        return found

    async def refused(self, path: str, wish: Mapping[str, object]) -> tuple[int, str, str]:
        """Ask for what is refused; return status, code and message."""
        reply = await self.client.post(f"/api/v1/{path}", json=wish)
        error = reply.json()["error"]
        return reply.status_code, error["code"], error["message"]

    async def key(self) -> str:
        """Make a key and return its id."""
        reply = await self.client.post("/api/v1/keys", json={"feature": "support"})
        return str(reply.json()["public_id"])


@pytest.fixture
async def api(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Api]:
    control = await ControlStore.open(f"sqlite:///{tmp_path}/control.db", clock)
    changes: list[str] = []
    services = Services(
        control=control,
        analytics=AnalyticsStore(f"chdb://{tmp_path}/analytics"),
        key_hasher=KeyHasher(b"k" * 32),
        token_hasher=TokenHasher(b"t" * 32),
        pseudonyms=PSEUDONYMS,
        clock=clock,
        on_control_change=lambda: changes.append("changed"),
        health=dict,
        declared_features=frozenset,
        gateway_url="",
        first_model=str,
        routing=lambda: ROUTING,
    )
    transport = httpx.ASGITransport(LocalDoor(build_api(services)), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://wk") as client:
        yield Api(client, services, changes)
    await control.close()


# Faults


def test_every_kind_that_the_gateway_knows_can_be_started() -> None:
    assert tuple(OPTIONS) == KINDS == get_args(Kind)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_fault_says_how_it_was_started(api: Api, kind: str) -> None:
    values = {"seconds": 2.5, "status": 503, "after": 3}
    said = {name: values[name] for name in OPTIONS[kind]}
    key = await api.key()
    fault = await api.started(kind=kind, share=0.1, target="other/gpt-4o", key=key, tenant="acme", **said)
    assert {name: fault[name] for name in values} == dict.fromkeys(values) | said
    assert (fault["state"], fault["share"], fault["target"]) == ("active", 0.1, "other/gpt-4o")
    assert (fault["key"], fault["tenant"], fault["started_by"]) == (key, "acme", "local")
    assert (fault["started_at"], fault["ends_at"]) == ("2026-01-01T00:00:00Z", "2026-01-01T00:10:00Z")
    assert len(api.changes) == 2


async def test_a_model_that_clients_name_themselves_can_be_drilled_too(api: Api) -> None:
    fault = await api.started(route="openai/gpt-5/preview", target="openai/gpt-5/preview")
    assert fault["route"] == "openai/gpt-5/preview"


@pytest.mark.parametrize(
    ("wish", "status", "code", "words"),
    [
        ({"route": "caht"}, 404, "route_not_found", "no route `caht`; did you mean `chat`? No fault was started."),
        ({"route": "zzz"}, 404, "route_not_found", "no route `zzz`; known: `chat`, `search`. No fault was started."),
        ({"route": "opnai/gpt-4o"}, 404, "route_not_found", "no route `opnai/gpt-4o`"),
        (
            {"target": "other/gpt-4"},
            404,
            "target_not_found",
            "The route `chat` has no target `other/gpt-4`; did you mean",
        ),
        ({"route": "search", "target": "zzz"}, 404, "target_not_found", "known: `other/gpt-4o`"),
        ({"kind": "rate_limt"}, 422, "invalid_request", "not a kind of fault; did you mean `rate_limit`?"),
        ({"lasts_s": 86_401}, 422, "invalid_request", "`lasts_s`"),
        ({"lasts_s": 0}, 422, "invalid_request", "`lasts_s`"),
        ({"share": 0}, 422, "invalid_request", "`share`"),
        ({"share": 1.1}, 422, "invalid_request", "`share`"),
        ({"status": 404}, 422, "invalid_request", "`status`"),
        ({"seconds": 3}, 422, "invalid_request", "`seconds` means nothing for `server_error`; it belongs to"),
        ({"kind": "reset", "status": 503}, 422, "invalid_request", "it belongs to `server_error`"),
        ({"kind": "slow_drip"}, 422, "invalid_request", "`slow_drip` needs `seconds`"),
        ({"tennant": "acme"}, 422, "invalid_request", "did you mean `tenant`?"),
    ],
)
async def test_a_fault_that_makes_no_sense_is_refused_with_what_was_meant(
    api: Api, wish: dict[str, object], status: int, code: str, words: str
) -> None:
    found = await api.refused("faults", PLAIN | wish)
    assert found[:2] == (status, code)
    assert words in found[2]
    assert (await api.client.get("/api/v1/faults")).json() == {"faults": []}
    assert api.changes == []


async def test_a_key_that_is_not_used_cannot_be_drilled(api: Api) -> None:
    key = await api.key()
    status, code, message = await api.refused("faults", PLAIN | {"key": key[:-1]})
    assert (status, code) == (404, "key_not_found")
    assert f"did you mean `{key}`?" in message
    await api.client.post(f"/api/v1/keys/{key}/revoke")
    assert (await api.refused("faults", PLAIN | {"key": key}))[:2] == (409, "key_revoked")


async def test_without_the_length_of_time_nothing_starts(api: Api) -> None:
    reply = await api.client.post("/api/v1/faults", json={"kind": "reset", "route": "chat"})
    assert reply.status_code == 422
    assert "lasts_s" in reply.json()["error"]["message"]


async def test_a_drill_needs_a_gateway(api: Api) -> None:
    services = replace(api.services, routing=lambda: None)
    transport = httpx.ASGITransport(LocalDoor(build_api(services)))
    async with httpx.AsyncClient(transport=transport, base_url="http://wk") as client:
        reply = await client.post("/api/v1/faults", json=PLAIN)
    assert (reply.status_code, reply.json()["error"]["code"]) == (503, "no_keeper")


async def test_a_fault_that_ended_is_listed_as_ended(api: Api, clock: FakeClock) -> None:
    first, second = await api.started(), await api.started(lasts_s=60)
    reply = await api.client.delete(f"/api/v1/faults/{first['id']}")
    assert (reply.status_code, reply.json()["state"], reply.json()["stopped_by"]) == (200, "ended", "local")
    clock.advance(60)
    listed = (await api.client.get("/api/v1/faults")).json()["faults"]
    assert {fault["id"]: (fault["state"], fault["stopped_by"]) for fault in listed} == {
        first["id"]: ("ended", "local"),
        second["id"]: ("ended", None),
    }
    again = await api.client.delete(f"/api/v1/faults/{first['id']}")
    assert (again.status_code, again.json()["error"]["code"]) == (409, "fault_ended")


async def test_stopping_what_is_not_there_names_what_may_be_meant(api: Api) -> None:
    reply = await api.client.delete("/api/v1/faults/fault-1")
    assert (reply.status_code, reply.json()["error"]["code"]) == (404, "fault_not_found")
    fault = await api.started()
    reply = await api.client.delete(f"/api/v1/faults/{fault['id'][:-1]}")
    assert f"did you mean `{fault['id']}`?" in reply.json()["error"]["message"]


async def test_one_fault_too_many_is_a_conflict(api: Api) -> None:
    for _ in range(ACTIVE_MAX):
        await api.started()
    assert (await api.refused("faults", PLAIN))[:2] == (409, "too_many_faults")


# Purges


@pytest.mark.parametrize(
    ("wish", "meant"),
    [
        ({"all": True}, ("", "", "")),
        ({"tenant": "acme"}, ("acme", "", "")),
        ({"tenant": "acme", "release": "r1"}, ("acme", "r1", "")),
        (
            {"tenant": "acme", "subject": "ana@example.com"},
            ("acme", "", PSEUDONYMS.of("acme", "ana@example.com")),
        ),
        ({"subject": "ana@example.com"}, ("", "", PSEUDONYMS.of("", "ana@example.com"))),
        ({"subject": PSEUDONYMS.of("acme", "ana")}, ("", "", PSEUDONYMS.of("acme", "ana"))),
        ({"subject": "a" * 300}, ("", "", PSEUDONYMS.of("", "a" * VALUE_LENGTH_MAX))),
    ],
    ids=["all", "tenant", "release", "person of a tenant", "person", "pseudonym", "long name"],
)
async def test_a_purge_means_whom_the_gateway_means(
    api: Api, clock: FakeClock, wish: dict[str, object], meant: tuple[str, str, str]
) -> None:
    reply = await api.client.post("/api/v1/cache/purges", json=wish)
    assert reply.status_code == 201, reply.text
    tenant, release, subject = meant
    assert reply.json() == {
        "at": "2026-01-01T00:00:00Z",
        "by": "local",
        "tenant": tenant,
        "release": release,
        "subject": subject,
    }
    expected = LivePurge(before_ns=clock.unix_ns(), tenant=tenant, release=release, subject=subject)
    assert await api.services.control.purges.live() == [expected]
    assert api.changes == ["changed"]
    [change] = (await api.client.get("/api/v1/changes")).json()["changes"]
    assert change["kind"] == "cache"
    assert "ana@" not in str(change)


@pytest.mark.parametrize("wish", [{}, {"all": False}, {"all": True, "tenant": "acme"}])
async def test_a_purge_that_does_not_say_whose_answers_drops_none(api: Api, wish: dict[str, object]) -> None:
    assert (await api.refused("cache/purges", wish))[:2] == (422, "invalid_request")
    assert await api.services.control.purges.live() == []


def test_a_name_is_cut_where_the_gateway_cuts_it() -> None:
    assert NAME_MAX == VALUE_LENGTH_MAX
