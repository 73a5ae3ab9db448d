"""The price book over the API and on the command line: shown as it was, updated only when somebody says so."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.integration.control.commands import LoneCommand
from tests.integration.control.recorded import a_call, an_attempt, clock_and_ids, record

from watchkeeper.access.keys import KeyHasher
from watchkeeper.access.subjects import Pseudonyms
from watchkeeper.access.tokens import TokenHasher
from watchkeeper.api.app import build_api
from watchkeeper.api.auth import LocalDoor
from watchkeeper.api.services import Services
from watchkeeper.config.schema import Config
from watchkeeper.core.clock import SystemClock
from watchkeeper.core.usage import Usage
from watchkeeper.ingest.pricing import Terms
from watchkeeper.money.genai import installed
from watchkeeper.server.compile import compile_snapshot
from watchkeeper.server.prices import stored_book, terms_of
from watchkeeper.store.analytics import AnalyticsStore
from watchkeeper.store.control import ControlStore
from watchkeeper.testing import FakeClock

CONFIG = Config.model_validate(
    {
        "providers": {
            "openai": {"base_url": "https://api.openai.com/v1"},
            "mine": {"base_url": "http://127.0.0.1:8081/v1"},
        },
        "prices": {"overrides": [{"provider": "mine", "model": "my-*", "input": 0.1}]},
    }
)
FILE = """
prices:
  - list: openai
    model: gpt-4o-mini
    rows: [{valid_from: 2026-01-01, input: 0.10, cache_read: 0.05, output: 0.50}]
"""


class Asked:
    """The API as an operator asks it, and the store behind it."""

    def __init__(self, services: Services, client: httpx.AsyncClient, changes: list[str], terms: list[Terms]) -> None:
        self.services = services
        self.terms = terms
        self.client = client
        self.changes = changes

    async def get(self, path: str, **query: Any) -> Any:
        reply = await self.client.get(f"/api/v1/prices{path}", params=query)
        assert reply.status_code == 200, reply.text
        return reply.json()

    async def post(self, path: str, **body: Any) -> Any:
        reply = await self.client.post(f"/api/v1/prices{path}", json=body)
        assert reply.status_code == 200, reply.text
        return reply.json()

    async def refused(self, path: str, **body: Any) -> tuple[int, str, str]:
        reply = await self.client.post(f"/api/v1/prices{path}", json=body)
        error = reply.json()["error"]
        return reply.status_code, error["code"], error["message"]


@pytest.fixture
def analytics(tmp_path: Path) -> Iterator[AnalyticsStore]:
    store = AnalyticsStore.open(f"chdb://{tmp_path}/analytics")
    yield store
    store.close()


@pytest.fixture
async def api(tmp_path: Path, clock: FakeClock, analytics: AnalyticsStore) -> AsyncIterator[Asked]:
    control = await ControlStore.open(f"sqlite:///{tmp_path}/control.db", clock)
    await stored_book(control.prices)
    changes: list[str] = []
    terms: list[Terms] = [terms_of(compile_snapshot(CONFIG, [], await control.prices.book()))]
    services = Services(
        control=control,
        analytics=analytics,
        key_hasher=KeyHasher(b"k" * 32),
        token_hasher=TokenHasher(b"t" * 32),
        pseudonyms=Pseudonyms(b"p" * 32),
        clock=clock,
        on_control_change=lambda: changes.append("changed"),
        health=dict,
        declared_features=frozenset,
        gateway_url="",
        first_model=lambda: "",
        routing=lambda: None,
        terms=lambda: terms[0],
    )
    transport = httpx.ASGITransport(LocalDoor(build_api(services)), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://wk") as client:
        yield Asked(services, client, changes, terms)
    await control.close()


async def test_a_price_is_shown_with_its_source_and_the_day_on_which_it_was_written_down(api: Asked) -> None:
    found = await api.get("/model", model="gpt-5", list="openai", at="2026-11-21")
    ordinary, *tiers = found["prices"]
    assert {unit["unit"]: unit["usd_per_million"] for unit in ordinary["units"]}["cache_read"] == "0.125"
    assert (ordinary["price_list"], ordinary["source"]) == ("openai", f"{installed().source}: openai/gpt-5")
    assert ordinary["recorded_at"].startswith("2026-01-01T00:00:00")
    assert {row["service_tier"] for row in tiers} == {"batch", "flex", "priority", "fast"}
    long = (await api.get("/model", model="gemini-2.5-pro", list="google"))["prices"][0]["units"][0]["above"]
    assert long == [{"above_tokens": 200_000, "usd_per_million": "2.5"}]


async def test_a_provider_s_own_price_is_shown_too(api: Asked) -> None:
    [row] = (await api.get("/model", model="my-model", provider="mine"))["prices"]
    assert (row["source"], row["recorded_at"]) == ("configuration: mine/my-*", None)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"model": "nobody"}, "No price list knows"),
        ({"model": "gpt-5", "list": "opena"}, "did you mean `openai`"),
        ({"model": "gpt-5", "provider": "opena"}, "did you mean `openai`"),
        ({"model": "gpt-5", "provider": "openai", "as_of": "2026-01-01"}, "name a `list`"),
        ({"model": "gpt-5", "list": "openai", "as_of": "2025-12-31"}, "no price list `openai`"),
    ],
)
async def test_what_nobody_knows_is_said_so(api: Asked, query: dict[str, str], words: str) -> None:
    reply = await api.client.get("/api/v1/prices/model", params=query)
    assert reply.status_code == 404
    assert words in reply.json()["error"]["message"]


async def test_looking_at_an_update_changes_nothing(api: Asked) -> None:
    found = await api.post("/diff", file=FILE, name="mine.yaml")
    assert (found["added"], found["applied"]) == (1, None)
    assert found["changes"][0]["words"][0].startswith("input $0.15 -> $0.1 (-33.3%)")
    assert (await api.get("/state"))["revision"] == 1
    assert api.changes == []


async def test_an_approved_file_is_believed_at_once_and_what_was_believed_before_can_be_asked(
    api: Asked, clock: FakeClock
) -> None:
    clock.advance(3_600)
    assert (await api.post("/apply", file=FILE, name="mine.yaml"))["applied"] == 2
    assert api.changes == ["changed"]

    async def price(**query: str) -> str:
        found = await api.get("/model", model="gpt-4o-mini", list="openai", **query)
        return str(found["prices"][0]["units"][0]["usd_per_million"])

    assert await price() == "0.1"
    assert await price(at="2025-12-31") == "0.15"
    assert await price(as_of="2026-01-01T00:59:59Z") == "0.15"
    assert await price(as_of="2026-01-01T01:00:00Z") == "0.1"
    state = await api.get("/state")
    assert (state["revision"], state["edition"], state["is_current"]) == (2, installed().source, True)
    assert state["recorded_at"].startswith("2026-01-01T01:00:00")
    assert (await api.post("/apply", file=FILE, name="mine.yaml"))["applied"] is None
    lists = {one["name"]: one for one in (await api.get(""))["lists"]}
    assert (lists["openai"]["corrections"], lists["anthropic"]["corrections"]) == (1, 0)


async def test_an_update_that_changes_uncommonly_much_wants_to_be_meant(api: Asked) -> None:
    models = sorted({record.entry.model for record in await api.services.control.prices.records(lists=["openrouter"])})
    rows = [{"list": "openrouter", "model": model, "rows": [{"input": 1, "output": 1}]} for model in models]
    file = json.dumps({"prices": rows})
    assert (await api.post("/apply", file=file))["added"] == len(models)
    dearer = file.replace('"input": 1,', '"input": 2,')
    if len(models) * 5 > len(installed().entries):
        assert (await api.refused("/apply", file=dearer))[:2] == (409, "prices_doubtful")
    assert (await api.post("/apply", file=dearer, force=True))["changed"] == len(models)


async def test_a_file_that_cannot_be_used_is_refused_and_changes_nothing(api: Asked) -> None:
    status, code, message = await api.refused("/apply", file="prices: [{list: openai, model: m, rows: [{inptu: 1}]}]")
    assert (status, code) == (422, "price_file")
    assert "unknown key" in message
    assert (await api.get("/state"))["revision"] == 1


async def test_the_past_is_priced_again_over_the_api(api: Asked, analytics: AnalyticsStore) -> None:
    clock, ids = clock_and_ids()
    usage = Usage(1_000_000)
    attempt = an_attempt(model="gpt-4o-mini", usage=usage, usage_status="measured")
    record(analytics, [a_call(ids, clock, attempts=[attempt], usage=usage, usage_status="measured")], token="one")
    stretch = {"since": "2026-01-01T00:00:00", "until": "2026-01-02T00:00:00"}
    assert (await api.post("/recompute", **stretch))["corrected"] == 0
    await api.post("/apply", file=FILE, name="mine.yaml")
    api.terms[0] = terms_of(compile_snapshot(CONFIG, [], await api.services.control.prices.book()))
    rehearsed = await api.post("/recompute", **stretch, dry_run=True)
    both = await asyncio.gather(*(api.post("/recompute", **stretch) for _ in range(2)))
    again, done = sorted(both, key=lambda found: int(found["corrected"]))  # either may come first
    for found in (rehearsed, done):
        assert (found["corrected"], found["newly_priced"]) == (1, 0)
        assert (found["old_usd"], found["new_usd"], found["delta_usd"]) == ("0.15", "0.1", "-0.05")
    assert again["corrected"] == 0


@pytest.mark.parametrize("until", ["2026-01-01T00:00:00", "2026-03-01T00:00:00", "never"])
async def test_a_stretch_that_is_none_is_refused(api: Asked, until: str) -> None:
    assert (await api.refused("/recompute", since="2026-01-01T00:00:00", until=until))[0] == 422


def test_the_command_line_shows_compares_and_approves_without_a_keeper(
    data: Path, lone_wk: LoneCommand, tmp_path: Path
) -> None:
    async def seed() -> None:
        control = await ControlStore.open(f"sqlite:///{data}/control.db", SystemClock())
        await stored_book(control.prices)
        await control.close()

    asyncio.run(seed())
    file = tmp_path / "mine.yaml"
    file.write_text(FILE)
    assert lone_wk("prices", "diff", data=data) == 0
    assert "changes no price" in lone_wk.out
    assert lone_wk("prices", "diff", str(file), data=data) == 0
    assert "added    openai/gpt-4o-mini: input $0.15 -> $0.1 (-33.3%)" in lone_wk.out
    assert lone_wk("prices", "apply", str(file), data=data) == 0
    assert "the price book has revision 2" in lone_wk.out
    assert lone_wk("prices", "show", "gpt-4o-mini", "--list", "openai", data=data) == 0
    assert "source: file mine.yaml: openai/gpt-4o-mini; recorded " in lone_wk.out
    assert lone_wk("prices", "list", data=data) == 0
    assert "openai\t" in lone_wk.out
    shown = lone_wk.json("prices", "show", "gpt-4o-mini", "--at", "2025-06-01", "--list", "openai", data=data)
    assert isinstance(shown, dict)
    assert shown["prices"][0]["units"][0]["usd_per_million"] == "0.15"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("recompute", "--from", "2026-01-01", "--to", "2026-01-02"), 4, "No keeper runs here"),
        (("recompute", "--from", "2026-01-02", "--to", "2026-01-01"), 2, "--to must lie after --from"),
        (("recompute", "--from", "monday", "--to", "2026-01-01"), 2, "--from is 'monday'"),
        (("show", "gpt-5"), 3, "No price list knows"),
        (("apply", "/nowhere.yaml"), 4, "cannot be read"),
    ],
)
def test_a_command_that_cannot_be_done_says_why_and_does_nothing(
    data: Path, lone_wk: LoneCommand, arguments: tuple[str, ...], code: int, words: str
) -> None:
    assert lone_wk("prices", *arguments, data=data) == code
    assert words in lone_wk.err
