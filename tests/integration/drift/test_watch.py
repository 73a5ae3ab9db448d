"""The keeper's look at drift: real calls in both stores, alerts, findings, and what somebody accepts."""

import json
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from tests.integration.control.recorded import a_call, record

from watchkeeper.access.node import NodeSecrets
from watchkeeper.api.app import build_api
from watchkeeper.api.auth import LocalDoor
from watchkeeper.config.schema import Config
from watchkeeper.core.call import Call
from watchkeeper.core.ids import CallIds
from watchkeeper.releases.embedding import Vectors
from watchkeeper.server.drift import DriftWatch
from watchkeeper.server.drift_looks import Comparer
from watchkeeper.server.drifting import with_drift
from watchkeeper.server.folder import DataFolder
from watchkeeper.server.parts import Stores, build_services
from watchkeeper.store.alerts import AlertRow
from watchkeeper.store.changes import ChangeFilter
from watchkeeper.testing import FakeClock

HOUR_S = 3600
CALLS = 130
START = datetime(2026, 1, 1, tzinfo=UTC)
WORDS = ("your", "parcel", "is", "on", "its", "way", "and", "will", "be", "there", "if", "nothing", "keeps", "it")


class House:
    """A keeper's look over both stores, and the API beside it."""

    def __init__(self, stores: Stores, clock: FakeClock, client: httpx.AsyncClient) -> None:
        self.stores, self.clock, self.client = stores, clock, client
        self.dice = np.random.default_rng(1)
        self._ids = CallIds(clock)
        self.watch = self.anew()

    def anew(self) -> DriftWatch:
        """A keeper that has just been started."""
        return DriftWatch(
            drift=self.stores.control.drift,
            alerts=self.stores.control.alerts,
            figures=self.stores.analytics.drift,
            notifications=lambda: Config().notifications,
            clock=self.clock,
            comparer=lambda: Comparer(_embed),
            console="http://127.0.0.1:8180",
        )

    def past(self, hours: int = 26, *, calls: int = 45) -> None:
        """Let hours pass without a look at them."""
        made = [self._call(1.0, HOUR_S / calls) for _ in range(hours * calls)]
        record(self.stores.analytics, made, token="past")
        self.clock.set_unix_ns(round(self.clock.unix_ns() / 1e9 / HOUR_S) * HOUR_S * 10**9)

    async def hours(self, count: int, *, length: float = 1.0, calls: int = CALLS) -> None:
        """Let hours pass in which answers are so long, and look at each."""
        for _ in range(count):
            start_ns = self.clock.unix_ns()
            made = [self._call(length, HOUR_S / calls) for _ in range(calls)]
            record(self.stores.analytics, made, token=f"hour{start_ns}")
            self.clock.set_unix_ns(start_ns + HOUR_S * 10**9)
            self.clock.advance(180)
            await self.watch.look()
            self.clock.set_unix_ns(start_ns + HOUR_S * 10**9)

    def _call(self, length: float, after_s: float) -> Call:
        self.clock.advance(after_s)
        words = " ".join(self.dice.choice(WORDS, max(1, int(length * self.dice.lognormal(3, 0.5)))))
        body = {"choices": [{"index": 0, "message": {"role": "assistant", "content": words}, "finish_reason": "stop"}]}
        duration = float(self.dice.lognormal(6, 0.3))
        return a_call(
            self._ids, self.clock, release="wk1-a", environment="production", served_from="upstream", status="ok",
            response_body=json.dumps(body).encode(), duration_ms=duration,
        )  # fmt: skip

    async def alerts(self, *, only_open: bool = True) -> Sequence[AlertRow]:
        found = await self.stores.control.alerts.list_alerts(only_open=only_open, kind="drift")
        return [one for one in found if "volume" not in one.facts["signals"]]

    async def get(self, path: str) -> dict[str, Any]:
        reply = await self.client.get(f"/api/v1/{path}")
        assert reply.status_code == 200, reply.text
        found: dict[str, Any] = reply.json()
        return found

    async def post(self, path: str, **body: object) -> dict[str, Any]:
        reply = await self.client.post(f"/api/v1/{path}", json=body)
        assert reply.status_code == 200, reply.text
        found: dict[str, Any] = reply.json()
        return found


def _embed(texts: Sequence[str]) -> Vectors:
    """Vectors by the letters of a text: alike for texts of the same words."""
    found = np.array([[text.count(letter) + 1e-3 for letter in "abcdefghijklmnopqrstuvwxyz"] for text in texts])
    made: Vectors = (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)
    return made


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    folder = DataFolder(tmp_path / "data")
    folder.create()
    secrets = NodeSecrets.load_or_create(folder.node_key)
    clock = FakeClock()
    async with Stores.opened(folder, clock, Config()) as stores:
        services = build_services(stores, secrets, clock, desired=None, gateway_url="")
        services, _ = with_drift(services, console="")
        transport = httpx.ASGITransport(LocalDoor(build_api(services)))
        async with httpx.AsyncClient(transport=transport, base_url="http://watchkeeper") as client:
            yield House(stores, clock, client)


async def test_a_change_is_told_once_accepted_and_then_is_how_it_should_be(house: House) -> None:
    house.past()
    await house.hours(1)
    assert await house.alerts() == []
    await house.hours(2, length=0.5)
    (alert,) = await house.alerts()
    assert (alert.kind, alert.severity) == ("drift", "warning")
    assert "answers became" in alert.title and "% shorter" in alert.title
    assert "inputs did not change" in alert.text and "watchkeeper drift accept support" in alert.text

    shown = await house.get("drift/features/support")
    (hour,) = [look for look in shown["looks"] if look["window"] == "hour" and look["group"]["release"] == "wk1-a"]
    assert "output_letters" in hour["open"]
    (reading,) = [one for one in hour["readings"] if one["signal"] == "output_letters"]
    assert reading["breach"] == "certain" and reading["cause"] == "outputs" and reading["after"] < reading["before"]
    assert [one["kind"] for one in shown["findings"] if one["signal"] == "output_letters"] == ["raised"]

    accepted = await house.post("drift/features/support/accept", release="wk1-a", reason="shorter is better")
    (one,) = accepted["accepted"]
    assert datetime.fromisoformat(one["reference"]["since"]) == START + timedelta(hours=27)
    assert await house.alerts() == []
    await house.hours(1, length=0.5)
    assert await house.alerts() == []
    listed = await house.get("drift")
    (young,) = [look for look in listed["looks"] if look["window"] == "hour" and look["group"]["release"] == "wk1-a"]
    assert "less than a day" in young["not_judged"]
    changes = await house.stores.control.changes.between(START, START + timedelta(days=9), ChangeFilter(kind="drift"))
    assert [change.summary for change in changes] == ["accepted how support is now in production"]


async def test_what_is_as_it_was_again_is_over_and_a_restart_repeats_nothing(house: House) -> None:
    house.past()
    await house.hours(2, length=0.5)
    assert len(await house.alerts()) == 1
    house.watch = house.anew()
    house.clock.advance(180)
    await house.watch.look()
    findings = await house.stores.control.drift.findings("support")
    assert len([one for one in findings if one.signal == "output_letters" and one.kind == "raised"]) == 1
    house.clock.set_unix_ns(house.clock.unix_ns() - 180 * 10**9)
    await house.hours(1)
    assert len(await house.alerts()) == 1, "one quiet hour is not enough"
    await house.hours(1)
    assert await house.alerts() == []
    over = [one for one in await house.stores.control.drift.findings("support") if one.kind == "over"]
    assert any(one.sentence == "Length of answers: it is as it was before." for one in over)


async def test_a_group_that_nobody_calls_any_more_has_no_drift(house: House) -> None:
    house.past()
    await house.hours(1, length=0.4)
    assert len(await house.alerts()) == 1
    house.clock.advance(3 * 24 * HOUR_S)
    await house.watch.look()
    assert await house.alerts() == []
    (ended,) = [one for one in await house.alerts(only_open=False) if one.resolved_by == "watchkeeper"]
    assert ended.resolution == "No calls of it come any more."


async def test_replays_and_few_calls_are_not_judged(house: House) -> None:
    house.past()
    await house.hours(1, length=0.3, calls=60)
    assert await house.alerts() == []
    assert (await house.client.get("/api/v1/drift/features/nobody")).status_code == 404


async def test_a_quiet_history_is_calibrated_to_no_alarms(house: House) -> None:
    house.past(12, calls=CALLS)
    found = await house.post("drift/features/support/calibrate")
    by_window = {one["window"]: one for one in found["groups"]}
    assert by_window["hour"]["looks"] == 12 and by_window["hour"]["alarms"] == 0
    assert found["measured_a_month"] == 0 and found["allowed_a_month"] == 1
