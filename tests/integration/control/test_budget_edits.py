"""Edits of budgets and signed reviews, on both engines: the latest holds, nothing is forgotten, everything is noted."""

from datetime import timedelta

import pytest

from watchkeeper.money.budgets import Budget
from watchkeeper.money.windows import Window
from watchkeeper.store.control import ControlStore
from watchkeeper.store.ledger import Place, SettledCharge
from watchkeeper.testing import FakeClock

DEFINITION = {"scope": {"tenant": "*"}, "limit": "20 USD"}


async def test_the_latest_edit_holds_and_what_was_before_can_be_read(store: ControlStore, clock: FakeClock) -> None:
    edits = store.budget_edits
    await edits.put("b", DEFINITION, is_added=False, actor="ana", reason="first")
    clock.advance(60)
    await edits.put("b", DEFINITION | {"limit": "30 USD"}, is_added=False, actor="ben", reason="second")
    await edits.put("mine", DEFINITION, is_added=True, actor="ana", reason="new")
    held = await edits.current()
    assert {name: (row.definition["limit"], row.by, row.is_added) for name, row in held.items()} == {
        "b": ("30 USD", "ben", False),
        "mine": ("20 USD", "ana", True),
    }
    assert [row.reason for row in await edits.history("b")] == ["second", "first"]


async def test_what_is_taken_back_holds_no_more_and_taking_back_nothing_is_no_change(
    store: ControlStore, clock: FakeClock
) -> None:
    edits = store.budget_edits
    await edits.put("b", DEFINITION, is_added=True, actor="ana", reason="")
    assert await edits.take_back("b", actor="ben", reason="too much")
    assert not await edits.take_back("b", actor="ben", reason="again")
    assert not await edits.take_back("never", actor="ben", reason="")
    assert await edits.current() == {}
    await edits.put("b", DEFINITION, is_added=True, actor="cy", reason="after all")
    assert (await edits.current())["b"].by == "cy"
    assert len(await edits.history("b")) == 3


async def test_every_edit_is_noted_as_a_change_with_its_definition(store: ControlStore, clock: FakeClock) -> None:
    file = DEFINITION | {"limit": "1 USD"}
    edits = store.budget_edits
    now = (await edits.put("b", DEFINITION, is_added=False, actor="ana", reason="why", before=file)).at
    await edits.take_back("b", actor="ben", reason="", after=file)
    noted = await store.changes.between(now - timedelta(1), now + timedelta(1))
    assert [(one.kind, one.actor, one.summary) for one in noted] == [
        ("budget", "ana", "changed the budget b"),
        ("budget", "ben", "took back the edit of b"),
    ]
    assert [one.detail for one in noted] == [
        {"name": "b", "reason": "why", "before": file, "after": DEFINITION},
        {"name": "b", "reason": "", "before": DEFINITION, "after": file},
    ]


async def test_a_signed_review_is_kept_as_it_was_and_a_second_one_stands_before_it(store: ControlStore) -> None:
    reviews = store.cost_reviews
    await reviews.sign("2026-W46", "finance", {"features": []}, actor="ana", remark="as expected")
    await reviews.sign("2026-W46", "finance", {"features": [1]}, actor="ben", remark="")
    await reviews.sign("2026-W46", "", {"features": []}, actor="ana", remark="")
    found = await reviews.of("2026-W46", "finance")
    assert [(row.signed_by, row.note, row.figures) for row in found] == [
        ("ben", "", {"features": [1]}),
        ("ana", "as expected", {"features": []}),
    ]
    assert len(await reviews.of("2026-W46")) == 3
    assert await reviews.of("2026-W45") == []


def rule(name: str, limit: int, window: Window) -> Budget:
    return Budget(name, (("tenant", "*"),), "nusd", limit, window)


@pytest.mark.parametrize("most", [1, 3, 100])
async def test_the_fullest_accounts_are_those_of_all_accounts(store: ControlStore, clock: FakeClock, most: int) -> None:
    budgets = [rule("day", 100, Window("calendar", "day")), rule("ever", 1_000, Window("lifetime"))]
    budgets.append(rule("month", 100, Window("calendar", "month")))
    await store.ledger.know(budgets)
    now_ns = clock.unix_ns()
    charges = [
        SettledCharge(
            1, f"c{place}", now_ns // 10**9, now_ns, "h", f"{name}|t{place}", name, "nusd", 0, 7 * place + more
        )
        for more, name in enumerate(("day", "ever", "month"))
        for place in range(20)
    ]
    await store.ledger.settle("s", Place("seg", 1), charges)
    every = [(state.key, state.settled) for state in await store.ledger.states()]
    assert [(state.key, state.settled) for state in await store.ledger.fullest(most=most)] == every[:most]
    assert await store.ledger.account_counts() == {"day": 20, "ever": 20, "month": 20}


async def test_an_account_of_a_window_that_is_over_is_listed_with_nothing_used(
    store: ControlStore, clock: FakeClock
) -> None:
    await store.ledger.know([rule("day", 100, Window("calendar", "day"))])
    now_ns = clock.unix_ns()
    charge = SettledCharge(1, "c", now_ns // 10**9, now_ns, "h", "day|acme", "day", "nusd", 0, 90)
    await store.ledger.settle("s", Place("seg", 1), [charge])
    clock.advance(2 * 86_400)
    assert [(state.key, state.settled) for state in await store.ledger.fullest(most=9)] == [("day|acme", 0)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("ACME", ["day|acme"]), ("_", ["day|a_b"]), ("%", ["day|50%25"]), ("söhne", ["day|S%C3%B6hne"]), ("none", [])],
)
async def test_accounts_are_found_by_a_part_of_their_name_and_nothing_in_it_is_a_pattern(
    store: ControlStore, clock: FakeClock, text: str, expected: list[str]
) -> None:
    await store.ledger.know([rule("day", 100, Window("calendar", "day"))])
    now_ns = clock.unix_ns()
    charges = [
        SettledCharge(1, key, now_ns // 10**9, now_ns, "h", f"day|{key}", "day", "nusd", 0, 9)
        for key in ("acme", "a_b", "50%25", "S%C3%B6hne", "plain")
    ]
    await store.ledger.settle("s", Place("seg", 1), charges)
    found = [state.key for state in await store.ledger.fullest(most=9, containing=text)]
    if text == "%":  # Each name that was written with one has it in its key.
        assert set(expected) <= set(found)
    else:
        assert found == expected
    assert "day|plain" not in found
