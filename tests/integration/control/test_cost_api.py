"""Cost over the control API: what is answered, who owns it, and in which words a senseless question is refused."""

import io
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pyarrow.parquet
import pytest
from tests.integration.control.recorded import a_call, an_attempt, clock_and_ids, record

from watchkeeper.access.keys import KeyHasher
from watchkeeper.access.subjects import Pseudonyms
from watchkeeper.access.tokens import TokenHasher
from watchkeeper.api.app import build_api
from watchkeeper.api.auth import LocalDoor
from watchkeeper.api.services import CostBasis, Ownership, Services
from watchkeeper.core.call import Call
from watchkeeper.core.usage import Usage
from watchkeeper.store.analytics import AnalyticsStore
from watchkeeper.store.control import ControlStore
from watchkeeper.testing import FakeClock

PSEUDONYMS = Pseudonyms(b"p" * 32)
BASIS = CostBasis(
    features={"support": Ownership(owner="ana", cost_owner="finance", unit_of_value="accepted answer")},
    cache_ttl_s={"support-chat": 600.0},
    targets={"support-chat": ("openai/gpt-4o", "openai/gpt-4o-mini")},
    list_price=lambda target, usage, at_ns: 1_000 if target == "openai/gpt-4o" else 100,
)
MILLION = Usage(10**6, output_text=10**6)
"""At gpt-4o-mini: $0.15 and $0.60."""


@dataclass
class Stored:
    store: AnalyticsStore
    clock: FakeClock
    calls: dict[str, Call]


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stored]:
    clock, ids = clock_and_ids()
    cases: dict[str, dict[str, object]] = {
        "before": {"usage": MILLION},
        "person": {"subject": PSEUDONYMS.of("acme", "ana@example.com"), "usage": MILLION, "value_milli": 1_500},
        "guessed": {"usage": Usage(10**6), "usage_status": "estimated", "tags": ["=1+1"]},
        "unpriced": {"feature": "search", "attempts": [an_attempt(provider="nobody")]},
        "failed": {"status": "error", "usage": MILLION, "value_milli": 9_000},
    }
    store = AnalyticsStore.open(f"chdb://{tmp_path_factory.mktemp('cost')}/analytics")
    calls: dict[str, Call] = {}
    for name, fields in cases.items():
        calls[name] = a_call(ids, clock, **({"request_body": name.encode(), "served_from": "upstream"} | fields))
        clock.advance(86_400 if name == "before" else 60)
    record(store, list(calls.values()), token="all")
    yield Stored(store, clock, calls)
    store.close()


class Api:
    """Asks as the machine's own operator."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def get(self, path: str, **query: Any) -> Any:
        reply = await self.client.get(f"/api/v1/{path}", params=query)
        assert reply.status_code == 200, reply.text
        return reply.json()

    async def refusal(self, path: str, **query: Any) -> str:
        reply = await self.client.get(f"/api/v1/{path}", params=query)
        assert reply.status_code == 422, reply.text
        message: str = reply.json()["error"]["message"]
        return message

    async def report(self, **body: Any) -> httpx.Response:
        return await self.client.post("/api/v1/value", json=body)


@pytest.fixture
async def api(stored: Stored, tmp_path: Path) -> AsyncIterator[Api]:
    control = await ControlStore.open(f"sqlite:///{tmp_path}/control.db", stored.clock)
    services = Services(
        control=control,
        analytics=stored.store,
        key_hasher=KeyHasher(b"k" * 32),
        token_hasher=TokenHasher(b"t" * 32),
        pseudonyms=PSEUDONYMS,
        clock=stored.clock,
        on_control_change=lambda: None,
        health=dict,
        declared_features=frozenset,
        gateway_url="",
        first_model=str,
        routing=lambda: None,
        cost_basis=lambda: BASIS,
    )
    transport = httpx.ASGITransport(LocalDoor(build_api(services)), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://wk") as client:
        yield Api(client)
    await control.close()


async def test_an_answer_has_amounts_statuses_and_owners(api: Api) -> None:
    found = await api.get("cost", since="1h")
    assert found["total"]["words"] == "$1.65, of which $0.15 estimated, 1 call unpriced"
    support, search = found["groups"]
    assert (support["names"], support["owner"], support["cost_owner"]) == ({"feature": "support"}, "ana", "finance")
    assert support["spend"]["cost_usd"] == "1.65"
    assert (support["spend"]["measured_usd"], support["spend"]["estimated_usd"]) == ("1.5", "0.15")
    assert (search["cost_owner"], search["spend"]["cost_usd"]) == (None, None)
    assert found["without_cost_owner"] == ["search"]
    assert (found["other"], found["counts_overlap"]) == (None, False)


async def test_the_groups_beyond_the_limit_come_in_one_sum(api: Api) -> None:
    found = await api.get("cost", since="1h", by="feature,status", limit=1)
    assert len(found["groups"]) == 1
    assert found["other"]["groups"] == 2
    assert Decimal(found["other"]["spend"]["cost_usd"]) + Decimal(found["groups"][0]["spend"]["cost_usd"]) == Decimal(
        found["total"]["cost_usd"]
    )


async def test_a_person_is_found_by_name_and_tenant(api: Api) -> None:
    where = ["tenant=acme", "subject=ana@example.com"]
    found = await api.get("cost", since="1h", by="subject", where=where)
    assert [group["names"]["subject"] for group in found["groups"]] == [PSEUDONYMS.of("acme", "ana@example.com")]
    assert (await api.get("cost", since="1h", where=["tenant=other", where[1]]))["total"]["calls"] == 0


async def test_an_empty_value_means_the_calls_that_have_none(api: Api) -> None:
    assert (await api.get("cost", since="1h", where=["subject="]))["total"]["calls"] == 3
    assert (await api.get("cost", since="1h", where=["tag="]))["total"]["calls"] == 3
    assert (await api.get("cost", since="1h", where=["tag==1+1"]))["total"]["calls"] == 1


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"since": "2026-10-02", "until": "2026-10-01"}, "before it begins"),
        ({"since": "2026-10-01", "until": "2026-10-01"}, "before it begins"),
        ({"since": "yesterday"}, "is not a time"),
        ({"tz": "Europe/Atlantis"}, "is no time zone"),
        ({"tz": "localtime"}, "is no time zone"),
        ({"by": "feature,feature"}, "twice"),
        ({"by": "colour"}, "is no dimension"),
        ({"where": "colour=red"}, "is no condition"),
        ({"where": "hour=3"}, "is no condition"),
        ({"where": "feature"}, "is no condition"),
        ({"limit": 0}, "limit"),
        ({"group": "feature"}, "`group` is not known"),
    ],
    ids=str,
)
async def test_a_senseless_question_is_refused_in_words(api: Api, query: dict[str, Any], words: str) -> None:
    message = await api.refusal("cost", **query)
    assert words in message
    assert "othing was" in message


async def test_times_without_an_offset_are_those_of_the_zone(api: Api) -> None:
    found = await api.get("cost", since="2026-10-25", until="2026-10-26", tz="Europe/Berlin")
    assert (found["since"], found["until"]) == ("2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z")


async def test_two_periods_differ_by_parts_that_add_up(api: Api, stored: Stored) -> None:
    first = datetime.fromtimestamp(stored.calls["before"].started_ns / 1e9, UTC)
    edges = [(first + timedelta(days=n)).strftime("%Y-%m-%dT%H:%M:%SZ") for n in (0, 1, 2)]
    found = await api.get(
        "cost/compare", first=f"{edges[0]}..{edges[1]}", second=f"{edges[1]}..{edges[2]}", by="feature"
    )
    assert (found["first"]["spend"]["cost_usd"], found["second"]["spend"]["cost_usd"]) == ("0.75", "1.65")
    whole = found["effects"]
    assert whole["difference_usd"] == "0.9"
    assert sum(Decimal(whole[f"{part}_usd"]) for part in ("price", "volume", "mix", "efficiency")) == Decimal("0.9")
    assert [group["names"]["feature"] for group in found["groups"]] == ["support", "search"]
    assert found["groups"][1]["effects"]["difference_usd"] == "0"
    one = await api.get(
        "cost/compare", first=f"{edges[0]}..{edges[1]}", second=f"{edges[1]}..{edges[2]}", by="status", limit=1
    )
    parts = [Decimal(one[name]["effects"]["difference_usd"]) for name in ("other",)]
    parts += [Decimal(group["effects"]["difference_usd"]) for group in one["groups"]]
    assert (sum(parts), one["other"]["groups"]) == (Decimal("0.9"), 1)


@pytest.mark.parametrize("by", ["tag", "model,hour", ""])
async def test_periods_are_not_compared_by_what_has_nothing_in_common(api: Api, by: str) -> None:
    assert "cannot be compared" in await api.refusal("cost/compare", first="2026-09", second="2026-10", by=by)


async def test_waste_has_every_kind_and_savings_say_how_sure_they_are(api: Api) -> None:
    found = await api.get("cost/waste", since="1h")
    lines = {line["kind"]: line for line in found["waste"]}
    assert list(lines) == ["retries", "failed", "abandoned", "repeats"]
    assert lines["failed"]["total"] == {
        "calls": 1, "cost_usd": "0.75", "uncertain_usd": "0", "unpriced_calls": 0,
    }  # fmt: skip
    assert lines["failed"]["features"][0]["cost_owner"] == "finance"
    assert found["savings"]["routing"] == {
        "status": "estimated", "calls": 3, "saved_usd": "0.0000027", "uncompared_calls": 0,
    }  # fmt: skip


async def test_a_unit_costs_all_calls_over_all_units(api: Api, stored: Stored) -> None:
    reply = await api.report(id="u-1", call_id=stored.calls["person"].id, units="0.5")
    assert reply.status_code == 201, reply.text
    assert (reply.json()["feature"], reply.json()["tenant"]) == ("support", "acme")
    found = {one["feature"]: one for one in (await api.get("cost/units", since="1h"))["features"]}
    support = found["support"]
    assert (support["units"], support["said_units"], support["reported_units"]) == ("2", "1.5", "0.5")
    assert (support["cost_per_unit_usd"], support["status"]) == ("0.825", "estimated")
    assert (support["unit_of_value"], support["cost_owner"]) == ("accepted answer", "finance")
    assert (found["search"]["cost_per_unit_usd"], found["search"]["status"]) == (None, "no_units")


async def test_a_report_that_comes_again_is_answered_with_what_is_kept(api: Api) -> None:
    first = await api.report(id="again", feature="drafts", units=2, at="5m")
    second = await api.report(id="again", feature="drafts", units="2.000", at="4m")
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json()
    other = await api.report(id="again", feature="drafts", units=3)
    assert (other.status_code, other.json()["error"]["code"]) == (409, "value_conflict")
    (drafts,) = (await api.get("cost/units", since="1h", where=["feature=drafts"]))["features"]
    assert (drafts["units"], drafts["spend"]["calls"]) == ("2", 0)


@pytest.mark.parametrize(
    "body",
    [
        {"feature": "support", "units": 1},
        {"id": "x", "units": 1},
        {"id": "x", "units": 1, "feature": "support", "call_id": "01M32513R6J4H6BCFNCVCF2TQ0"},
        {"id": "x", "units": 0, "feature": "support"},
        {"id": "x", "units": "1.0001", "feature": "support"},
        {"id": "x", "units": "NaN", "feature": "support"},
        {"id": "x", "units": "1e12", "feature": "support"},
        {"id": "x", "units": 1, "call_id": "nonsense"},
        {"id": "x", "units": 1, "feature": "support", "at": "soon"},
        {"id": "x", "units": 1, "feature": "support", "unit": "answer"},
    ],
    ids=str,
)
async def test_a_report_that_cannot_be_meant_is_refused(api: Api, body: dict[str, Any]) -> None:
    assert (await api.report(**body)).status_code == 422


async def test_a_report_of_an_unknown_call_is_refused(api: Api) -> None:
    reply = await api.report(id="x", units=1, call_id="01M32513R6J4H6BCFNCVCF2TQ0")
    assert (reply.status_code, reply.json()["error"]["code"]) == (404, "call_not_found")


async def test_units_are_not_asked_for_by_what_events_do_not_know(api: Api) -> None:
    assert "feature and tenant only" in await api.refusal("cost/units", where=["model=gpt-4o"])


async def test_a_table_is_given_out_as_a_file(api: Api) -> None:
    reply = await api.client.get("/api/v1/cost/export", params={"since": "1h", "format": "parquet", "by": "feature"})
    assert reply.headers["content-disposition"].endswith('.parquet"')
    rows = pyarrow.parquet.read_table(io.BytesIO(reply.content)).to_pylist()
    assert [(row["feature"], row["cost_usd"]) for row in rows] == [("support", Decimal("1.65")), ("search", None)]
    reply = await api.client.get("/api/v1/cost/export", params={"since": "1h"})
    assert reply.headers["content-type"].startswith("text/csv")
    assert reply.text.count("\n") == 5
    assert "before it begins" in await api.refusal("cost/export", since="2026-10-02", until="2026-10-01")


async def test_nobody_from_outside_learns_what_anything_costs(api: Api, stored: Stored) -> None:
    """The routes stand behind the same door as all others."""
    app = api.client._transport.app._app  # type: ignore[attr-defined]  # without the operator's door
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://wk") as outside:
        for path in ("cost", "cost/compare", "cost/waste", "cost/units", "cost/export"):
            assert (await outside.get(f"/api/v1/{path}")).status_code == 401
        assert (await outside.post("/api/v1/value", json={})).status_code == 401
