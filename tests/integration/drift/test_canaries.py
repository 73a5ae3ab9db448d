"""A canary on a schedule, before an upstream that changes the model under the same name."""

import hashlib
import random
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from watchkeeper.config.canaries import Canary
from watchkeeper.config.notifications import Notifications
from watchkeeper.server.canaries import CanaryWatch
from watchkeeper.server.drift_looks import Comparer
from watchkeeper.store.control import ControlStore
from watchkeeper.testing import ErrorReply, FakeClock, Reply, Upstream
from watchkeeper.testing.asked import Asked
from watchkeeper.testing.steps import Step

MODEL = "scripted/gpt-4o-mini"
EVERY_S = 6 * 3600.0
CANARY = Canary.model_validate({"model": MODEL, "every": "6h", "budget": "0.10 USD"})


class Model:
    """A script that answers the same prompt with the same words, now and then with others."""

    def __init__(self, name: str, *, noise: float = 0.05) -> None:
        self.name, self._noise = name, noise
        self._dice = random.Random(1)

    def steps(self, asked: Asked, /) -> Iterator[Step]:
        """Answer."""
        prompt = asked.json["messages"][-1]["content"]
        variant = self._dice.randrange(1, 3) if self._dice.random() < self._noise else 0
        words = hashlib.sha256(f"{self.name}{prompt}{variant}".encode()).hexdigest()
        return Reply(words[:40], model="gpt-4o-mini-2024-07-18").steps(asked)


class House:
    """A keeper's canaries, the control database, and an upstream in the place of the gateway."""

    def __init__(self, store: ControlStore, upstream: Upstream) -> None:
        self.clock = FakeClock()
        self.store, self.upstream = store, upstream
        self.canaries = [CANARY]
        self.watch = CanaryWatch(
            canaries=lambda: self.canaries,
            rounds=store.canaries,
            drift=store.drift,
            alerts=store.alerts,
            notifications=Notifications,
            clock=self.clock,
            comparer=lambda: Comparer(None),
            gateway_url=upstream.base_url,
            key="sk-wk-fake",
        )

    async def rounds(self, count: int) -> list[str]:
        """Let so many rounds become due, and say what each came to."""
        found: list[str] = []
        for _ in range(count):
            await self.watch.look()
            found.append((await self.store.canaries.rounds(MODEL, limit=1))[0].verdict.status)
            self.clock.advance(EVERY_S)
        return found

    async def alerts(self, *, only_open: bool = True) -> list[tuple[str, str]]:
        rows = await self.store.alerts.list_alerts(only_open=only_open, kind="model_changed")
        return [(row.severity, row.title) for row in rows]


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    clock = FakeClock()
    store = await ControlStore.open(f"sqlite:///{tmp_path}/control.db", clock)
    async with Upstream() as upstream:
        upstream.always(Model("one"))
        yield House(store, upstream)
    await store.close()


async def test_a_model_that_changes_under_the_same_name_is_told_at_the_second_round(house: House) -> None:
    assert await house.rounds(6) == ["learning"] * 4 + ["same"] * 2
    house.upstream.always(Model("two"))
    assert await house.rounds(1) == ["suspected"]
    assert await house.alerts() == []
    assert await house.rounds(3) == ["changed"] * 3
    assert await house.alerts() == [("warning", f"{MODEL} answers fixed prompts otherwise than it did")]
    house.upstream.always(Model("one"))
    assert await house.rounds(1) == ["same"]
    assert await house.alerts() == []
    kinds = [(one.kind, one.signal) for one in await house.store.drift.findings("")]
    assert kinds == [("over", "answers"), ("raised", "answers")]


async def test_it_is_asked_when_it_is_due_and_not_beyond_its_budget(house: House) -> None:
    await house.watch.look()
    await house.watch.look()
    assert len(house.upstream.received) == 36
    assert {one.json["temperature"] for one in house.upstream.received} == {0}
    assert max(one.json["max_tokens"] for one in house.upstream.received) <= 48
    (row,) = await house.store.canaries.rounds(MODEL)
    await house.store.canaries.add(MODEL, row.round, row.verdict, cost_nusd=CANARY.budget, by="watchkeeper")
    house.clock.advance(EVERY_S)
    await house.watch.look()
    assert len(house.upstream.received) == 36, "the money of the day is spent"
    house.clock.advance(24 * 3600)
    await house.store.canaries.add(MODEL, row.round, row.verdict, cost_nusd=0, by="watchkeeper")
    house.clock.advance(24 * 3600)
    await house.watch.look()
    assert len(house.upstream.received) == 72


async def test_a_provider_that_reports_another_model_is_told_apart_and_accepted(house: House) -> None:
    await house.rounds(4)
    house.upstream.always(_Renamed("one"))
    assert await house.rounds(2) == ["same", "same"]
    assert await house.alerts() == [("info", f"{MODEL}: its provider reports something else")]


async def test_an_upstream_that_fails_leaves_the_round_unmeasured(house: House) -> None:
    house.upstream.always(ErrorReply(500, message="not well"))
    assert await house.rounds(1) == ["unmeasured"]
    (row,) = await house.store.canaries.rounds(MODEL)
    assert "HTTP 500" in row.verdict.reason
    house.upstream.always(Model("one"))
    found = await house.rounds(5)
    assert found == ["learning"] * 4 + ["same"], "a round without answers is no part of the reference"


async def test_a_round_without_answers_is_asked_again_soon(house: House) -> None:
    house.upstream.always(ErrorReply(500))
    await house.watch.look()
    house.upstream.always(Model("one"))
    await house.watch.look()
    assert len(await house.store.canaries.rounds(MODEL)) == 1
    house.clock.advance(300)
    await house.watch.look()
    assert [row.verdict.status for row in await house.store.canaries.rounds(MODEL)] == ["learning", "unmeasured"]


async def test_after_acceptance_a_model_is_held_to_its_new_answers(house: House) -> None:
    await house.rounds(5)
    house.upstream.always(Model("two"))
    await house.rounds(2)
    newest = (await house.store.canaries.rounds(MODEL, limit=1))[0].id
    await house.store.canaries.accept(MODEL, newest, by="ana", reason="it is better")
    assert await house.rounds(4) == ["learning"] * 3 + ["same"]
    house.upstream.always(Model("one"))
    assert await house.rounds(2) == ["suspected", "changed"]


class _Renamed(Model):
    def steps(self, asked: Asked, /) -> Iterator[Step]:
        prompt = asked.json["messages"][-1]["content"]
        words = hashlib.sha256(f"{self.name}{prompt}0".encode()).hexdigest()
        return Reply(words[:40], model="gpt-4o-mini-2026-01-01").steps(asked)
