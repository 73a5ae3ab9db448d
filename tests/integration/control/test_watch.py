"""What the keeper watches: real calls in the analytics store, accounts as a ledger tells them, alerts of both."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from tests.integration.control.recorded import a_call, an_attempt, record

from watchkeeper.config.notifications import Notifications
from watchkeeper.core.call import Call
from watchkeeper.core.ids import CallIds
from watchkeeper.core.usage import Usage
from watchkeeper.money.ledger_state import AccountState
from watchkeeper.server.rounds import Duty, Rounds
from watchkeeper.server.watch import TOLD_ONE_BY_ONE, Watch
from watchkeeper.store.alerts import AlertRow
from watchkeeper.store.analytics import AnalyticsStore
from watchkeeper.store.control import ControlStore
from watchkeeper.testing import FakeClock
from watchkeeper.watch.guards import OpenHold

TELL = Notifications.model_validate({"destinations": [{"name": "ops", "url": "json://127.0.0.1:1"}]})
DOLLAR = 1_000_000_000
USD_PER_TOKEN = 0.15e-6
START = datetime(2026, 1, 1, tzinfo=UTC)


class House:
    """A keeper's watch over both stores."""

    def __init__(self, store: ControlStore, analytics: AnalyticsStore, clock: FakeClock) -> None:
        self.store, self.analytics, self.clock = store, analytics, clock
        self.accounts: list[AccountState] = []
        self.holds: list[OpenHold] = []
        self._ids = CallIds(clock)
        self.watch = Watch(
            alerts=store.alerts,
            outbox=store.outbox,
            figures=analytics,
            notifications=lambda: TELL,
            accounts=self._accounts,
            holds=self._holds,
            thresholds=lambda: {"monthly": (Decimal("0.5"), Decimal("0.8"), Decimal(1))},
            clock=clock,
            console="http://127.0.0.1:8180",
        )

    async def _accounts(self) -> Sequence[AccountState]:
        return self.accounts

    async def _holds(self) -> Sequence[OpenHold]:
        return self.holds

    def spent(self, usd: float, *, feature: str = "support", **more: object) -> Call:
        """A call of this moment that cost so much."""
        usage = Usage(round(usd / USD_PER_TOKEN))
        return a_call(
            self._ids, self.clock, feature=feature, usage=usage, started_ns=self.clock.unix_ns() + 60 * 10**9, **more
        )

    def hours(self, *usd: float, feature: str = "support", **more: object) -> None:
        """Let hours pass, in each of which one call costs so much."""
        calls = []
        for cost in usd:
            calls.append(self.spent(cost, feature=feature, **more))
            self.clock.advance(3600)
        record(self.analytics, calls, token=f"{feature}{self.clock.unix_ns()}")

    async def alerts(self, *, only_open: bool = True) -> list[AlertRow]:
        return await self.store.alerts.list_alerts(only_open=only_open)


@pytest.fixture
async def house(store: ControlStore, clock: FakeClock, tmp_path: Path) -> AsyncIterator[House]:
    analytics = AnalyticsStore.open(f"chdb://{tmp_path}/analytics")
    yield House(store, analytics, clock)
    analytics.close()


def ordinary(days: int) -> list[float]:
    """Ten dollars in an hour, a little more or less: the same for every run."""
    return [10 * (1 + 0.1 * ((hour * 7919) % 11 - 5) / 5) for hour in range(24 * days)]


# Costs


async def test_a_feature_that_costs_three_times_what_it_does_is_an_alert_and_then_is_over(house: House) -> None:
    house.hours(*ordinary(30), 30, 30)
    house.clock.advance(180)
    await house.watch.look_at_costs()
    total, support = sorted(await house.alerts(), key=lambda row: row.key)
    assert (total.key, support.key) == ("everything", "feature support")
    assert support.kind == "cost_anomaly"
    assert support.title.startswith("Feature support costs 3.")
    assert "The amounts are measured." in support.text
    assert "http://127.0.0.1:8180/calls?feature=support" in support.text
    assert len(await house.store.outbox.list_messages(alert_id=support.id)) == 1
    await replace(house.watch, judged_until=None).look_at_costs()
    assert len(await house.alerts(only_open=False)) == 2, "it is said once, also after a restart"
    house.hours(10, 10, 10)
    await house.watch.look_at_costs()
    assert await house.alerts() == []
    [ended] = [row for row in await house.alerts(only_open=False) if row.key == "feature support"]
    assert ended.resolution.startswith("None of the last 3 hours stands out")


async def test_one_odd_hour_is_no_alert(house: House) -> None:
    house.hours(*ordinary(30), 30, 10, 10)
    house.clock.advance(180)
    await house.watch.look_at_costs()
    assert await house.alerts() == []


async def test_an_hour_is_judged_when_its_last_calls_have_been_taken_in(house: House) -> None:
    house.hours(*ordinary(30), 30, 30)
    house.clock.advance(60)
    await house.watch.look_at_costs()
    assert await house.alerts() == []
    house.clock.advance(60)
    await house.watch.look_at_costs()
    assert len(await house.alerts()) == 2


async def test_what_a_drill_cost_is_no_alert_and_no_baseline(house: House) -> None:
    house.hours(*ordinary(30))
    house.hours(30, 30, faults=["fault-1"])
    house.clock.advance(180)
    await house.watch.look_at_costs()
    assert await house.alerts() == []


async def test_a_young_installation_has_nothing_to_compare_with(house: House) -> None:
    house.hours(*ordinary(2), 50, 50)
    house.clock.advance(180)
    await house.watch.look_at_costs()
    assert await house.alerts() == []


async def test_a_model_without_a_price_is_an_alert_until_a_day_has_passed_without_it(house: House) -> None:
    house.hours(0.1, 0.1, attempts=[an_attempt(model="nobody-knows", usage=Usage(1000), usage_status="measured")])
    await house.watch.look_at_prices()
    await house.watch.look_at_prices()
    [alert] = await house.alerts(only_open=False)
    assert (alert.kind, alert.key) == ("price_unknown", "openai/nobody-knows")
    assert "2 calls in the last 24 hours" in alert.text and "`unpriced`" in alert.text
    house.clock.advance(86_400)
    await house.watch.look_at_prices()
    assert await house.alerts() == []


async def test_answers_that_do_not_fit_are_an_alert_until_the_share_is_down(house: House) -> None:
    watch = replace(house.watch, allowed_failures=lambda: {"support": 0.05})
    failed = [house.spent(0, output_status="failed", release="wk1-fake") for _ in range(6)]
    fine = [house.spent(0, output_status="ok") for _ in range(24)]
    copies = [house.spent(0, output_status="failed", feature="shadowed", origin="shadow") for _ in range(40)]
    record(house.analytics, [*failed, *fine, *copies], token="outputs")
    house.clock.advance(120)
    await watch.look_at_outputs()
    await watch.look_at_outputs()
    [alert] = await house.alerts()
    assert (alert.kind, alert.key) == ("output_failures", "support")
    assert "6 of 30 answers" in alert.text and "release wk1-fake" in alert.text
    assert "/calls?feature=support&output=failed" in alert.text
    house.clock.advance(3600)
    await watch.look_at_outputs()
    assert await house.alerts() == []


async def test_a_session_that_was_stopped_is_told_of_once_until_it_is_quiet(house: House) -> None:
    refused = {"status": "error", "error_class": "runaway", "session": "loop-7"}
    record(house.analytics, [house.spent(0, **refused) for _ in range(3)], token="refused")
    house.clock.advance(120)
    await house.watch.look_at_runaways()
    await house.watch.look_at_runaways()
    [alert] = await house.alerts(only_open=False)
    assert (alert.kind, alert.key, alert.severity) == ("runaway", "support, session loop-7", "critical")
    assert "3 calls" in alert.title and "session=loop-7" in alert.text
    house.clock.advance(3_700)
    await house.watch.look_at_runaways()
    assert await house.alerts() == []


async def test_holds_of_a_dead_worker_are_told_of_by_account_until_they_are_resolved(house: House) -> None:
    house.holds = [OpenHold("a-dollar|support", "nusd", DOLLAR // 4, START) for _ in range(2)]
    await house.watch.look_at_holds()
    await house.watch.look_at_holds()
    [alert] = await house.alerts(only_open=False)
    assert alert.title == "$0.5 of a-dollar|support is held by 2 calls that nobody knows the cost of"
    house.holds = []
    await house.watch.look_at_holds()
    assert await house.alerts() == []


# Budgets


def account(used: float, **more: object) -> AccountState:
    fields: dict[str, object] = {
        "key": "monthly feature=support", "budget": "monthly", "scope": {"feature": "support"}, "unit": "nusd",
        "mode": "hard", "limit": 500 * DOLLAR, "settled": round(used * DOLLAR), "leased": 0, "window_start": START,
        "window_end": START + timedelta(days=31),
    }  # fmt: skip
    return AccountState(**{**fields, **more})  # type: ignore[arg-type]  # a table of fields


async def test_a_threshold_is_announced_once_also_over_a_restart(house: House, url: str, clock: FakeClock) -> None:
    house.accounts = [account(410)]
    await house.watch.look_at_budgets()
    again = await ControlStore.open(url, clock)
    restarted = replace(house.watch, alerts=again.alerts, outbox=again.outbox)
    await restarted.look_at_budgets()
    [alert] = await house.alerts(only_open=False)
    assert alert.facts["threshold"] == "80%"
    house.accounts = [account(500)]
    await restarted.look_at_budgets()
    assert sorted(row.facts["threshold"] for row in await house.alerts()) == ["100%", "80%"]
    house.accounts = [account(0, window_start=START + timedelta(days=31), window_end=START + timedelta(days=59))]
    await restarted.look_at_budgets()
    assert await house.alerts() == []
    events = [row.event for row in await house.store.outbox.list_messages()]
    assert events == ["raised", "raised"], "that a window has ended is told to nobody"
    await again.close()


async def test_of_two_keepers_one_announces(house: House, url: str, clock: FakeClock) -> None:
    other = await ControlStore.open(url, clock)
    house.accounts = [account(410, key=f"monthly {number}") for number in range(10)]
    second = replace(house.watch, alerts=other.alerts, outbox=other.outbox)
    await asyncio.gather(house.watch.look_at_budgets(), second.look_at_budgets())
    assert len(await house.alerts()) == 10
    alone = [message for message in await house.store.outbox.list_messages() if message.event == "raised"]
    assert len({message.alert_id for message in alone}) == len(alone)
    await other.close()


async def test_of_many_budgets_that_cross_at_once_a_few_are_told_alone_and_the_others_together(house: House) -> None:
    house.accounts = [account(260 if number else 500, key=f"tenant {number}") for number in range(300)]
    await house.watch.look_at_budgets()
    messages = await house.store.outbox.list_messages()
    assert len(messages) == TOLD_ONE_BY_ONE + 1
    assert len(await house.alerts()) == 300, "each is an alert all the same"
    [whole] = [row for row in await house.alerts(only_open=False) if row.key.startswith("together")]
    assert whole.title == "295 more budgets have passed a threshold"
    assert "- and 275 more" in whole.text and not whole.is_open
    told = [await house.store.alerts.get(message.alert_id) for message in messages]
    assert [row.severity for row in told].count("critical") == 1
    await house.watch.look_at_budgets()
    assert len(await house.store.outbox.list_messages()) == TOLD_ONE_BY_ONE + 1


async def test_what_somebody_resolved_by_hand_is_not_raised_again(house: House) -> None:
    house.accounts = [account(410)]
    await house.watch.look_at_budgets()
    [alert] = await house.alerts()
    await house.store.alerts.resolve(alert.id, TELL, actor="ana")
    await house.watch.look_at_budgets()
    assert await house.alerts() == []


async def test_the_pace_of_a_budget_comes_from_the_calls_of_its_scope(house: House) -> None:
    house.hours(*[1.0] * 24)
    house.hours(*[50.0] * 2, feature="other")
    end = datetime.fromtimestamp(house.clock.unix_ns() / 1e9, UTC) + timedelta(days=20)
    house.accounts = [account(300, window_end=end), account(300, key="calls", unit="calls", limit=10_000)]
    await house.watch.look_at_pace()
    [alert] = await house.alerts()
    assert (alert.kind, alert.facts["account"]) == ("budget_pace", "monthly feature=support")
    assert round(alert.facts["rate_per_hour"] / DOLLAR, 6) == 1


# When something is away


async def test_a_store_that_is_away_is_said_once_and_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    done = []
    trouble: list[Exception] = [OSError("the database is away"), OSError("the database is away")]

    async def asks() -> None:
        if trouble:
            raise trouble.pop()

    async def works() -> None:
        done.append(1)

    rounds = Rounds([Duty("watching costs", 300, asks), Duty("delivering alerts", 1, works)])
    for _ in range(4):
        await rounds.once()
    assert len(done) == 4
    assert [record.getMessage() for record in caplog.records] == [
        "watching costs fails, and is tried again every 300 s: the database is away",
        "watching costs works again",
    ]


async def test_without_an_analytics_store_budgets_are_watched_all_the_same(
    store: ControlStore, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    house = House(store, AnalyticsStore("chdb:///proc/nowhere"), clock)
    house.accounts = [account(410)]
    await Rounds(house.watch.duties()).once()
    assert [row.kind for row in await house.alerts()] == ["budget_threshold"]
    assert "watching costs fails" in caplog.text
    house.analytics.close()
