"""`watchkeeper budgets`, without a keeper: what it left is shown, and what people decide is booked."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.integration.control.commands import Command, new_folder
from tests.integration.ledger.lines import HOST, usd_budget, want

from watchkeeper.core.clock import SystemClock
from watchkeeper.money.leases import Held
from watchkeeper.store.control import ControlStore
from watchkeeper.store.ledger import Life, Place, Question, SettledCharge

CLOCK = SystemClock()
DOLLAR = 10**9


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder on which a keeper has run: one account with 3 of 10 dollars used, and a hold of 2 that nobody knows."""
    folder = new_folder(tmp_path / "data")

    async def fill() -> None:
        store = await ControlStore.open(f"sqlite:///{folder.control_db}", CLOCK)
        await store.ledger.know([usd_budget(10 * DOLLAR), usd_budget(5 * DOLLAR, "idle")])
        holder, now_ns = f"{HOST}/w0.1", CLOCK.unix_ns()
        await store.ledger.greet(Life(holder, HOST, "w0", 1, ""), {})
        await store.ledger.serve([Question(holder, (want(4 * DOLLAR),))])
        charge = SettledCharge(1, "call", now_ns // DOLLAR, now_ns, holder, "b|acme", "b", "nusd", 0, 3 * DOLLAR)
        await store.ledger.settle("s", Place("seg", 1), [charge])
        await store.ledger.end(holder, [Held("lost", now_ns, (("b|acme", 2 * DOLLAR),))])
        await store.close()

    asyncio.run(fill())
    return folder.root


@pytest.fixture
def wk(capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(capsys)


def told(wk: Command, *arguments: str, data: Path) -> Any:
    return wk.json(*arguments, data=data)


def test_budgets_are_listed_with_what_is_left(wk: Command, data: Path) -> None:
    found = told(wk, "budgets", "list", data=data)
    (account,) = found["accounts"]
    assert (account["settled"], account["limit"], account["unresolved"], account["left"]) == ("3", "10", "2", "5")
    assert (account["used_share"], account["scope"], account["unit"]) == (0.3, {"tenant": "acme"}, "usd")
    assert {budget["id"]: budget["window"] for budget in found["budgets"]} == {
        "b": "calendar month",
        "idle": "calendar month",
    }
    assert found["unresolved_holds"] == 1


def test_a_hold_is_resolved_once(wk: Command, data: Path) -> None:
    (hold,) = told(wk, "budgets", "holds", data=data)["holds"]
    assert (hold["held"], hold["call"], hold["state"]) == ("2", "lost", "open")
    row = str(hold["id"])
    assert wk("budgets", "resolve", row, data=data) == 2
    assert wk("budgets", "resolve", row, "--amount", "1.0000000001", data=data) == 1
    assert wk("budgets", "resolve", row, "--amount", "1.5", data=data) == 0
    assert wk("budgets", "resolve", row, "--release", data=data) == 1
    assert wk("budgets", "resolve", "99", "--release", data=data) == 3
    shown = told(wk, "budgets", "show", "b|acme", data=data)
    assert (shown["account"]["settled"], shown["account"]["left"]) == ("4.5", "5.5")
    assert [one["state"] for one in shown["rows"]] == ["settled"]


def test_a_top_up_makes_room_and_the_ledger_still_adds_up_or_says_where_not(wk: Command, data: Path) -> None:
    done = told(wk, "budgets", "top-up", "b|acme", "5", "--reason", "launch", data=data)
    assert done["account"]["left"] == "10"
    assert wk("budgets", "top-up", "nobody", "5", "--reason", "launch", data=data) == 3
    # No call is stored that would explain the 3 dollars.
    assert wk("budgets", "verify", data=data) == 1
    assert "b|acme" in wk.err
