"""The control API over real stores: who may ask, what is answered, and in which words it is refused."""

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from tests.integration.control.recorded import ANSWER, QUESTION, STREAM, a_call, an_attempt, clock_and_ids, record

from watchkeeper.access.keys import KeyHasher
from watchkeeper.access.subjects import Pseudonyms
from watchkeeper.access.tokens import TokenHasher
from watchkeeper.api.app import build_api
from watchkeeper.api.auth import SESSION_COOKIE, LocalDoor
from watchkeeper.api.services import Routing, Services
from watchkeeper.api.signin import SignIn, SignInFailed, TooManyGuesses
from watchkeeper.core.call import Call
from watchkeeper.core.usage import Usage
from watchkeeper.store.analytics import AnalyticsStore
from watchkeeper.store.control import ControlStore
from watchkeeper.testing import FakeClock

PSEUDONYMS = Pseudonyms(b"p" * 32)
ROUTING = Routing(targets={"support-chat": frozenset({"openai/gpt-4o-mini"})}, providers=frozenset({"openai"}))
NESTED = b"[" * 2_000 + b"]" * 2_000
GOOD_PASSWORD = "correct horse battery"


@dataclass
class Recorded:
    """What is in the analytics store, and the time after it all."""

    store: AnalyticsStore
    clock: FakeClock
    calls: dict[str, Call] = field(default_factory=dict)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    clock, ids = clock_and_ids()
    cases: dict[str, dict[str, object]] = {
        "plain": {"subject": PSEUDONYMS.of("acme", "ana@example.com"), "tags": ["vip"]},
        "stream": {"is_stream": True, "response_body": STREAM, "usage_raw": b'{"prompt_tokens":1000}'},
        "failed": {
            "status": "error",
            "http_status": 502,
            "error_class": "upstream_error",
            "error_code": "upstream_error",
            "error_message": "the upstream failed",
            "attempts": [an_attempt(http_status=500, error_class="upstream_error")],
            "usage": None,
            "usage_status": "missing",
        },
        "unpriced": {"feature": "search", "attempts": [an_attempt(provider="nobody")]},
        "not text": {"response_body": b"\xff\xfe"},
        "nested": {"response_body": NESTED},
        "cut": {"request_bytes": 10_000_000},
        "cheap": {"feature": "search", "usage": Usage(1, output_text=1)},
    }
    store = AnalyticsStore.open(f"chdb://{tmp_path_factory.mktemp('api')}/analytics")
    found = Recorded(store, clock)
    for name, fields in cases.items():
        clock.advance(60)
        found.calls[name] = a_call(ids, clock, **fields)
    record(store, list(found.calls.values()), token="all")
    clock.advance(60)
    yield found
    store.close()


@dataclass
class Api:
    """The application, and two who ask it: the machine's own operator, and somebody from outside."""

    app: FastAPI
    services: Services
    local: httpx.AsyncClient
    outside: httpx.AsyncClient
    changes: list[str]

    async def get(self, path: str, **query: Any) -> Any:
        """Ask as the operator and return the answer, which must be good."""
        reply = await self.local.get(f"/api/v1/{path}", params=query)
        assert reply.status_code == 200, reply.text
        return reply.json()

    async def post(self, path: str, **body: Any) -> Any:
        """Change something as the operator; it must succeed."""
        reply = await self.local.post(f"/api/v1/{path}", json=body)
        assert reply.is_success, reply.text
        return reply.json()


@pytest.fixture
async def api(recorded: Recorded, tmp_path: Path) -> AsyncIterator[Api]:
    control = await ControlStore.open(f"sqlite:///{tmp_path}/control.db", recorded.clock)
    changes: list[str] = []
    services = Services(
        control=control,
        analytics=recorded.store,
        key_hasher=KeyHasher(b"k" * 32),
        token_hasher=TokenHasher(b"t" * 32),
        pseudonyms=PSEUDONYMS,
        clock=recorded.clock,
        on_control_change=lambda: changes.append("changed"),
        health=lambda: {"config": {"refused": None}, "ingest": {"trouble": None}, "snapshot": "abc"},
        declared_features=lambda: frozenset({"support"}),
        gateway_url="http://127.0.0.1:4000/v1",
        first_model=lambda: "support-chat",
        routing=lambda: ROUTING,
    )
    app = build_api(services)
    local = httpx.ASGITransport(LocalDoor(app), raise_app_exceptions=False)
    outside = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        httpx.AsyncClient(transport=local, base_url="http://wk") as inner,
        httpx.AsyncClient(transport=outside, base_url="http://wk") as outer,
    ):
        yield Api(app, services, inner, outer, changes)
    await control.close()


def refusal(reply: httpx.Response) -> tuple[int, str]:
    """Status and code of an error, which has the one shape and says something."""
    document = reply.json()
    assert set(document) == {"error"}
    assert set(document["error"]) == {"code", "message"}
    assert len(document["error"]["message"]) > 20
    return reply.status_code, document["error"]["code"]


# Calls


async def test_calls_come_newest_first_a_page_at_a_time(api: Api, recorded: Recorded) -> None:
    newest_first = [call.id for call in recorded.calls.values()][::-1]
    first = await api.get("calls", limit=5)
    rest = await api.get("calls", limit=5, before=first["next_before"])
    assert [call["id"] for call in first["calls"] + rest["calls"]] == newest_first
    assert rest["next_before"] is None


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"feature": "search"}, ["unpriced", "cheap"]),
        ({"status": "error"}, ["failed"]),
        ({"subject": "ana@example.com", "tenant": "acme"}, ["plain"]),
        ({"subject": PSEUDONYMS.of("acme", "ana@example.com")}, ["plain"]),
        ({"subject": "ana@example.com", "tenant": "other"}, []),
        ({"tag": "vip"}, ["plain"]),
        ({"is_stream": "true"}, ["stream"]),
        ({"provider": "nobody"}, ["unpriced"]),
        ({"since": "2026-01-01T00:08", "status": "ok"}, ["cheap"]),
        ({"since": "2026-01-01T00:07", "until": "2026-01-01T00:08:00+00:00"}, ["cut"]),
        ({"search": "REFUND where", "feature": "search"}, ["unpriced", "cheap"]),
        ({"search": "zanzibar"}, []),
    ],
)
async def test_a_filter_restricts_what_is_listed_and_counted(
    api: Api, recorded: Recorded, query: dict[str, str], names: list[str]
) -> None:
    expected = {recorded.calls[name].id for name in names}
    found = await api.get("calls", **query)
    assert {call["id"] for call in found["calls"]} == expected
    assert await api.get("calls/count", **query) == {"count": len(expected)}


async def test_a_minimum_cost_leaves_out_what_is_cheap_or_has_no_price(api: Api, recorded: Recorded) -> None:
    found = {call["id"]: call["cost"] for call in (await api.get("calls"))["calls"]}
    dear = found[recorded.calls["plain"].id]
    assert dear == {"amount_usd": "0.00021", "status": "measured"}
    assert found[recorded.calls["unpriced"].id] == {"amount_usd": None, "status": "unpriced"}
    listed = (await api.get("calls", min_cost="0.0002"))["calls"]
    assert {call["cost"]["amount_usd"] for call in listed} == {"0.00021"}


async def test_one_call_is_shown_whole(api: Api, recorded: Recorded) -> None:
    call = recorded.calls["plain"]
    shown = await api.get(f"calls/{call.id}")
    assert (shown["id"], shown["feature"], shown["tenant"], shown["key"]) == (
        call.id, "support", "acme", "FAKEkey00001",
    )  # fmt: skip
    assert shown["request"] == json.loads(QUESTION)
    assert shown["response"] == json.loads(ANSWER)
    assert shown["sent"] is None
    assert [(attempt["provider"], attempt["ended_ms"]) for attempt in shown["attempts"]] == [("openai", 419.0)]
    assert (shown["usage"]["status"], shown["usage"]["input_uncached"], shown["usage"]["output_text"]) == (
        "measured", 1000, 100,
    )  # fmt: skip
    assert shown["cost"]["amount_usd"] == "0.00021"
    assert [(line["bucket"], line["units"], line["amount_usd"]) for line in shown["cost"]["lines"]] == [
        ("input_uncached", 1000, "0.00015"),
        ("output_text", 100, "0.00006"),
    ]
    assert shown["timing"]["duration_ms"] == 420.0
    assert shown["http"]["request_headers"] == [["user-agent", "tests"]]
    assert shown["started_at"] == "2026-01-01T00:01:00Z"
    assert shown["error"] is None


async def test_a_failed_call_says_why_and_unknown_tokens_stay_unknown(api: Api, recorded: Recorded) -> None:
    shown = await api.get(f"calls/{recorded.calls['failed'].id}")
    assert shown["error"] == {
        "class": "upstream_error", "code": "upstream_error", "message": "the upstream failed",
    }  # fmt: skip
    assert (shown["usage"]["status"], shown["usage"]["input_tokens"], shown["usage"]["output_text"]) == (
        "missing", None, None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "response"),
    [("stream", STREAM.decode()), ("not text", {"base64": "//4="}), ("nested", NESTED.decode())],
)
async def test_a_body_is_readable_whatever_was_sent(api: Api, recorded: Recorded, name: str, response: Any) -> None:
    shown = await api.get(f"calls/{recorded.calls[name].id}")
    assert shown["response"] == response


async def test_a_body_of_which_only_a_part_was_recorded_says_so(api: Api, recorded: Recorded) -> None:
    http = (await api.get(f"calls/{recorded.calls['cut'].id}"))["http"]
    assert (http["is_request_cut"], http["request_bytes"], http["is_response_cut"]) == (True, 10_000_000, False)


@pytest.mark.parametrize(("part", "body"), [("request", QUESTION), ("response", b"\xff\xfe")])
async def test_the_exact_bytes_can_be_had_and_are_never_a_page(
    api: Api, recorded: Recorded, part: str, body: bytes
) -> None:
    reply = await api.local.get(f"/api/v1/calls/{recorded.calls['not text'].id}/{part}")
    assert reply.content == body
    assert reply.headers["content-type"] == "application/octet-stream"
    assert reply.headers["content-disposition"].startswith("attachment")
    assert reply.headers["x-content-type-options"] == "nosniff"


async def test_the_overview_adds_up_to_the_calls(api: Api, recorded: Recorded) -> None:
    shown = await api.get("overview", since="1h", steps=60)
    total = shown["total"]
    assert (total["calls"], total["errors"], total["unpriced_calls"]) == (8, 1, 2)
    assert sum(step["calls"] for step in shown["steps"]) == 8
    assert shown["previous"]["calls"] == 0
    assert {share["name"]: share["calls"] for share in shown["top_features"]} == {"support": 6, "search": 2}
    assert total["errors_by_class"] == {"upstream_error": 1}


async def test_facets_count_the_values_of_a_filter(api: Api) -> None:
    found = await api.get("facets", feature="search")
    assert found["provider"] == [{"value": "nobody", "calls": 1}, {"value": "openai", "calls": 1}]
    assert found["status"] == [{"value": "ok", "calls": 2}]


async def test_who_follows_sees_every_call_once_and_in_order(api: Api, recorded: Recorded) -> None:
    seen: list[str] = []
    after = "0-"
    for _ in range(10):
        found = await api.get("calls/follow", after=after, limit=3)
        seen += [call["id"] for call in found["calls"]]
        after = found["after"]
    assert seen == [call.id for call in recorded.calls.values()]


# Refusals


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("calls?statsu=error", "did you mean `status`?"),
        ("calls?status=broken", "ok, error or cancelled"),
        ("calls?limit=-1", "`limit`"),
        ("calls?limit=1001", "`limit`"),
        ("calls?since=yesterday", "1h"),
        ("calls?since=9999999999d", "not a time"),
        ("calls?min_cost=much", "`min_cost`"),
        ("calls?min_cost=nan", "`min_cost`"),
        ("calls?before=x", "26 digits"),
        ("calls?is_stream=perhaps", "`is_stream`"),
        ("overview?steps=0", "`steps`"),
        ("overview?since=1h&until=2h", "before it begins"),
        ("changes?until=soon", "`until`"),
    ],
)
async def test_a_query_that_cannot_be_understood_is_refused_in_words(api: Api, path: str, says: str) -> None:
    reply = await api.local.get(f"/api/v1/{path}")
    assert refusal(reply)[0] == 422
    assert says in reply.json()["error"]["message"]


@pytest.mark.parametrize("call_id", ["nothing", "01ARZ3NDEKTSV4RRFFQ69G5FAV", "%00", "..%2F..%2Fetc"])
async def test_a_call_that_is_not_there_is_not_found(api: Api, call_id: str) -> None:
    reply = await api.local.get(f"/api/v1/calls/{call_id}")
    assert reply.status_code == 404
    refusal(reply)


async def test_a_path_that_does_not_exist_is_refused_in_the_same_shape(api: Api) -> None:
    assert refusal(await api.local.get("/api/v1/nothing")) == (404, "not_found")
    assert refusal(await api.local.delete("/api/v1/calls")) == (405, "method_not_allowed")


@pytest.mark.parametrize(
    ("path", "body", "says"),
    [
        ("keys", b"{", "JSON"),
        ("keys", b"[]", "`body`"),
        ("keys", b"{}", "`feature`"),
        ("keys", b'{"feature":"a b"}', "`feature`"),
        ("keys", b'{"featur":"a"}', "did you mean `feature`?"),
        ("keys", b'{"feature":"a","expires_in_s":0}', "`expires_in_s`"),
        ("users", b'{"name":"ana","password":"short"}', "at least 10"),
        ("users", b'{"name":"local","password":"long enough, really"}', "another name"),
        ("users", b'{"name":"a b","password":"long enough, really"}', "`name`"),
        ("tokens", b'{"name":""}', "`name`"),
    ],
)
async def test_a_change_that_cannot_be_understood_is_refused_and_nothing_is_done(
    api: Api, path: str, body: bytes, says: str
) -> None:
    reply = await api.local.post(f"/api/v1/{path}", content=body, headers={"content-type": "application/json"})
    assert refusal(reply)[0] == 422
    assert says in reply.json()["error"]["message"]
    assert (await api.get("changes"))["changes"] == []
    assert api.changes == []


async def test_a_refused_password_is_not_repeated(api: Api) -> None:
    reply = await api.local.post("/api/v1/users", json={"name": "ana", "password": "secret77"})
    assert reply.status_code == 422
    assert "secret77" not in reply.text


async def test_a_failure_of_ours_is_answered_in_the_same_shape_and_says_nothing_of_the_inside(api: Api) -> None:
    @api.app.get("/api/v1/broken")
    async def broken() -> None:
        raise ZeroDivisionError("inside")

    reply = await api.local.get("/api/v1/broken")
    assert refusal(reply) == (500, "internal")
    assert "inside" not in reply.text


# Who may ask


READS = ["calls", "calls/count", "overview", "facets", "keys", "users", "tokens", "changes", "health"]


@pytest.mark.parametrize("path", READS)
async def test_nobody_from_outside_reads_without_showing_who_they_are(api: Api, path: str) -> None:
    for headers in ({}, {"authorization": "Bearer wk-api-guess"}, {"cookie": f"{SESSION_COOKIE}=guess"}):
        reply = await api.outside.get(f"/api/v1/{path}", headers=headers)
        assert refusal(reply) == (401, "not_signed_in")


async def test_nobody_from_outside_can_say_that_they_are_inside(api: Api) -> None:
    for name in ("watchkeeper.local", "x-watchkeeper-local", "x-forwarded-for"):
        assert (await api.outside.get("/api/v1/keys", headers={name: "true"})).status_code == 401


async def test_a_token_reads_and_changes_until_it_is_revoked(api: Api) -> None:
    made = await api.post("tokens", name="ci")
    headers = {"authorization": f"Bearer {made['token']}"}
    assert (await api.outside.get("/api/v1/keys", headers=headers)).status_code == 200
    assert (await api.outside.post("/api/v1/keys", json={"feature": "a"}, headers=headers)).status_code == 201
    assert (await api.get("changes"))["changes"][-1]["actor"] == "token:ci"
    await api.post(f"tokens/{made['id']}/revoke")
    assert (await api.outside.get("/api/v1/keys", headers=headers)).status_code == 401
    assert made["token"] not in (await api.local.get("/api/v1/tokens")).text


async def test_a_session_reads_but_does_not_change_over_the_api(api: Api) -> None:
    await api.post("users", name="ana", password=GOOD_PASSWORD)
    session = await SignIn(api.services).by_password("ana", GOOD_PASSWORD)
    headers = {"cookie": f"{SESSION_COOKIE}={session.token}"}
    assert (await api.outside.get("/api/v1/keys", headers=headers)).status_code == 200
    reply = await api.outside.post("/api/v1/keys", json={"feature": "a"}, headers=headers)
    assert refusal(reply) == (403, "token_needed")
    with_noise = headers | {"authorization": "Basic noise"}
    assert (await api.outside.post("/api/v1/keys", json={"feature": "a"}, headers=with_noise)).status_code == 403
    assert (await api.get("keys"))["keys"] == []


# Signing in


async def test_a_password_signs_in_and_a_wrong_one_or_a_wrong_name_does_not(api: Api) -> None:
    await api.post("users", name="ana", password=GOOD_PASSWORD)
    sign_in = SignIn(api.services)
    session = await sign_in.by_password("ana", GOOD_PASSWORD)
    assert session.ends_at > datetime(2026, 1, 1, tzinfo=UTC)
    for name, password in (("ana", "wrong"), ("ben", GOOD_PASSWORD), ("ana", ""), ("ana", "x" * 1_000_000)):
        with pytest.raises(SignInFailed):
            await sign_in.by_password(name, password)


async def test_who_guesses_must_wait_and_then_may_try_again(api: Api, recorded: Recorded) -> None:
    await api.post("users", name="ana", password=GOOD_PASSWORD)
    sign_in = SignIn(api.services)
    for _ in range(5):
        with pytest.raises(SignInFailed):
            await sign_in.by_password("ana", "wrong password")
    with pytest.raises(TooManyGuesses):
        await sign_in.by_password("ana", GOOD_PASSWORD)
    recorded.clock.advance(300)
    assert (await sign_in.by_password("ana", GOOD_PASSWORD)).user == "ana"


async def test_a_disabled_user_is_out_until_enabled(api: Api) -> None:
    await api.post("users", name="ana", password=GOOD_PASSWORD)
    sign_in = SignIn(api.services)
    session = await sign_in.by_password("ana", GOOD_PASSWORD)
    assert (await api.post("users/ana/disable"))["is_disabled"]
    headers = {"cookie": f"{SESSION_COOKIE}={session.token}"}
    assert (await api.outside.get("/api/v1/keys", headers=headers)).status_code == 401
    with pytest.raises(SignInFailed):
        await sign_in.by_password("ana", GOOD_PASSWORD)
    await api.post("users/ana/enable")
    assert (await sign_in.by_password("ana", GOOD_PASSWORD)).user == "ana"


async def test_a_link_signs_its_holder_in_once(api: Api) -> None:
    made = await api.post("login-links")
    token = made["path"].partition("token=")[2]
    sign_in = SignIn(api.services)
    assert await sign_in.is_link_good(token)
    session = await sign_in.by_link(token)
    assert not await sign_in.is_link_good(token)
    with pytest.raises(SignInFailed):
        await sign_in.by_link(token)
    headers = {"cookie": f"{SESSION_COOKIE}={session.token}"}
    assert (await api.outside.get("/api/v1/keys", headers=headers)).status_code == 200
    assert sign_in.csrf_matches(session.token, sign_in.csrf(session.token))
    assert not sign_in.csrf_matches(session.token, sign_in.csrf("another"))
    await sign_in.end(session.token)
    assert (await api.outside.get("/api/v1/keys", headers=headers)).status_code == 401


# Keys, changes, health


async def test_a_key_is_shown_once_and_the_workers_are_told_of_every_change(api: Api) -> None:
    made = await api.post("keys", feature="support", tenant="acme", name="web", expires_in_s=3600)
    assert made["key"].startswith(f"sk-wk-{made['public_id']}-")
    assert made["note"] is None
    assert made["key"] not in (await api.local.get("/api/v1/keys")).text
    new = await api.post(f"keys/{made['public_id']}/rotate", overlap_s=60)
    assert new["replaces"] == made["public_id"]
    ended = await api.post(f"keys/{new['public_id']}/revoke")
    assert not ended["is_valid"]
    assert len(api.changes) == 3
    assert [(change["kind"], change["actor"]) for change in (await api.get("changes"))["changes"]] == [
        ("key", "local")
    ] * 3


async def test_a_feature_that_nobody_declared_is_noted(api: Api) -> None:
    made = await api.post("keys", feature="surprise")
    assert "surprise" in made["note"]


@pytest.mark.parametrize("verb", ["revoke", "rotate"])
async def test_a_key_that_is_not_there_is_not_found_and_one_that_has_ended_is_a_conflict(api: Api, verb: str) -> None:
    assert refusal(await api.local.post(f"/api/v1/keys/nosuchkey/{verb}", json={})) == (404, "key_not_found")
    made = await api.post("keys", feature="support")
    await api.post(f"keys/{made['public_id']}/revoke")
    reply = await api.local.post(f"/api/v1/keys/{made['public_id']}/{verb}", json={})
    assert refusal(reply) == (409, "key_revoked")


async def test_health_tells_the_truth(api: Api) -> None:
    good = await api.get("health")
    assert (good["status"], good["troubles"], good["store"]["calls"]) == ("ok", [], 8)
    api.app.state.services = replace(
        api.services, health=lambda: {"config": {"refused": "line 3"}, "ingest": {"trouble": "full"}}
    )
    reply = await api.local.get("/api/v1/health")
    assert reply.status_code == 503
    assert reply.json()["troubles"] == ["ingest: full", "config: line 3"]


async def test_changes_of_a_window_are_listed_oldest_first(api: Api, recorded: Recorded) -> None:
    await api.post("keys", feature="support")
    recorded.clock.advance(120)
    await api.post("keys", feature="search")
    assert len((await api.get("changes"))["changes"]) == 2
    assert len((await api.get("changes", since="1m"))["changes"]) == 1


# The reference


async def test_the_reference_page_needs_nothing_from_elsewhere_and_names_every_path(api: Api) -> None:
    reply = await api.outside.get("/api/docs")
    document = (await api.outside.get("/api/openapi.json")).json()
    assert reply.status_code == 200
    for path, operations in document["paths"].items():
        assert path in reply.text
        for operation in operations.values():
            assert operation["description"]
            assert {"200", "201", "204"} & set(operation["responses"])
    page = reply.text
    assert "<script" not in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "https://" not in page
    assert "default-src 'none'" in reply.headers["content-security-policy"]


async def test_every_answer_is_described(api: Api) -> None:
    document = (await api.outside.get("/api/openapi.json")).json()
    undescribed = [
        f"{verb} {path}"
        for path, operations in document["paths"].items()
        for verb, operation in operations.items()
        for status, answer in operation["responses"].items()
        if status in ("200", "201")
        and not path.endswith(("/request", "/response", "/export"))
        and not answer["content"]["application/json"]["schema"]
    ]
    assert undescribed == []


async def test_times_in_the_past_are_answered_too(api: Api) -> None:
    until = datetime(1970, 1, 2, tzinfo=UTC)
    shown = await api.get("overview", since=(until - timedelta(hours=1)).isoformat(), until=until.isoformat())
    assert shown["total"]["calls"] == 0
