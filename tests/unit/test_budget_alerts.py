"""Alerts on budgets: each crossing is announced once, whatever happens in between."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from textwrap import fill
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from watchkeeper.core.alert import AlertDraft, Findings, Mark
from watchkeeper.money.ledger_state import AccountState
from watchkeeper.watch import budgets, pace
from watchkeeper.watch.budgets import HYSTERESIS, label
from watchkeeper.watch.pace import HourlyUse

DOLLAR = 1_000_000_000
START = datetime(2026, 11, 1, tzinfo=UTC)
END = datetime(2026, 12, 1, tzinfo=UTC)
SHARES = (Decimal("0.5"), Decimal("0.8"), Decimal(1))


def account(used: float, *, limit: int = 500, **more: Any) -> AccountState:
    fields: dict[str, Any] = {
        "key": "monthly feature=support",
        "budget": "monthly",
        "scope": {"feature": "support"},
        "unit": "nusd",
        "mode": "hard",
        "limit": limit * DOLLAR,
        "settled": round(used * DOLLAR),
        "leased": 3 * DOLLAR,
        "window_start": START,
        "window_end": END,
    }
    return AccountState(**{**fields, **more})


def wrapped(draft: AlertDraft) -> str:
    """What a reader sees, in lines that fit."""
    return "\n".join(fill(line, 100) for line in (draft.title, *draft.text.splitlines())) + "\n"


class Watched:
    """One account over time; what is remembered survives as it would in the database."""

    def __init__(self) -> None:
        self.mark: Mark | None = None

    def look(self, state: AccountState, shares: tuple[Decimal, ...] = SHARES) -> Findings:
        found = budgets.look(state, shares, self.mark)
        if found.mark is not None:
            self.mark = replace(found.mark, version=found.mark.version + 1)
        return found

    def announced(self, used: float, **more: Any) -> list[str]:
        return [draft.facts["threshold"] for draft in self.look(account(used, **more)).raised]


def test_each_threshold_is_announced_once_when_it_is_reached() -> None:
    watched = Watched()
    said = [watched.announced(used) for used in (0, 249.99, 250, 251, 399, 400, 499, 500, 510)]
    assert said == [[], [], ["50%"], [], [], ["80%"], [], ["100%"], []]


def test_of_several_crossed_at_once_the_highest_is_announced() -> None:
    watched = Watched()
    assert watched.announced(450) == ["80%"]
    assert watched.announced(460) == []
    assert watched.announced(500) == ["100%"]


def test_use_that_wavers_about_a_threshold_announces_it_once() -> None:
    watched = Watched()
    assert [watched.announced(used) for used in (400, 399, 401, 376, 402)] == [["80%"], [], [], [], []]


def test_a_threshold_is_armed_again_after_use_fell_five_points_below_it() -> None:
    watched = Watched()
    watched.look(account(400))
    fallen = watched.look(account(374.9))
    assert [over.reason for over in fallen.over] == ["$374.90 of $500.00 is settled now (74.9%)."]
    assert watched.announced(400) == ["80%"]


def test_a_raised_limit_arms_and_the_next_crossing_is_announced() -> None:
    watched = Watched()
    watched.look(account(500))
    raised = watched.look(account(500, limit=1000))
    assert [over.key.rpartition(" ")[2] for over in raised.over] == ["100%", "80%"]
    assert raised.raised == ()
    assert watched.announced(800, limit=1000) == ["80%"]


def test_a_new_window_begins_with_every_threshold_armed_and_ends_the_old_alerts_without_a_word() -> None:
    watched = Watched()
    watched.look(account(500))
    december: dict[str, Any] = {"window_start": END, "window_end": END + timedelta(days=31)}
    turned = watched.look(account(0, **december))
    assert len(turned.over) == 3 and not any(over.is_told for over in turned.over)
    assert watched.announced(250, **december) == ["50%"]
    assert turned.over[0].key != watched.look(account(400, **december)).raised[0].key


def test_after_a_window_that_nobody_saw_the_next_is_announced() -> None:
    watched = Watched()
    watched.look(account(500))
    assert watched.announced(500, window_start=END, window_end=END + timedelta(days=31)) == ["100%"]


def test_a_window_that_rolls_announces_no_crossing_twice() -> None:
    watched = Watched()
    said = [
        watched.announced(400, window_start=START + timedelta(seconds=15 * step), window_end=None) for step in range(9)
    ]
    assert said == [["80%"], *[[]] * 8]


def test_a_threshold_that_is_configured_below_what_was_announced_is_not() -> None:
    watched = Watched()
    watched.look(account(450))
    found = watched.look(account(450), (Decimal("0.5"), Decimal("0.7"), Decimal("0.8"), Decimal(1)))
    assert found.raised == ()
    assert found.mark is not None and found.mark.passed == {"50%", "70%", "80%"}


def test_a_threshold_that_is_configured_no_more_is_over_without_a_word() -> None:
    watched = Watched()
    watched.look(account(450))
    gone = watched.look(account(450), (Decimal("0.5"), Decimal(1)))
    assert [(over.key.rpartition(" ")[2], over.is_told) for over in gone.over] == [("80%", False)]


def test_nothing_is_written_down_as_long_as_nothing_happens() -> None:
    assert not Watched().look(account(100))


@pytest.mark.parametrize(
    ("mode", "used", "severity"),
    [("hard", 250, "info"), ("hard", 400, "warning"), ("hard", 500, "critical"), ("soft", 500, "warning")],
)
def test_what_is_refused_is_critical(mode: str, used: float, severity: str) -> None:
    assert Watched().look(account(used, mode=mode)).raised[0].severity == severity


def test_an_alert_says_all_that_a_reader_needs() -> None:
    [draft] = budgets.look(account(421), SHARES, None, console="https://wk.example").raised
    assert wrapped(draft) == snapshot("""\
Budget monthly (feature support): 84.2% of $500.00 is used
The budget monthly (feature support) has passed 80% of its limit.
Used: $421.00 of $500.00 settled (84.2%). Held for calls under way: $3.00.
It counts from 2026-11-01 00:00 UTC to 2026-12-01 00:00 UTC. Calls that do not fit are refused once
the limit is reached.
What spends: https://wk.example/calls?feature=support
What to do: see whether the use is meant; if it is, raise the budget's limit in the configuration,
which is served within a second.
""")


walk = st.lists(
    st.tuples(
        st.integers(0, 1300),
        st.sampled_from([1000, 1000, 1000, 500, 2000]),
        st.sampled_from([0, 0, 0, 0, 1]),
        st.booleans(),
    ),
    min_size=1,
    max_size=60,
)


@given(walk, st.sets(st.sampled_from([Decimal(part) / 100 for part in (3, 10, 50, 78, 80, 100, 120)]), min_size=1))
def test_over_any_course_no_crossing_is_announced_twice_and_none_is_missed(
    steps: list[tuple[int, int, int, bool]], shares: set[Decimal]
) -> None:
    """Against a plain model: a threshold is armed, or it was passed; a restart loses all but the stored mark."""
    watched, month, armed = Watched(), 0, set(shares)
    open_keys: set[str] = set()
    for used, limit, turned, restarts in steps:
        if turned:
            month, armed = month + 1, set(shares)
        if restarts:
            fresh = Watched()
            fresh.mark = watched.mark
            watched = fresh
        start = START + timedelta(days=30 * month)
        state = account(used, limit=limit, window_start=start, window_end=start + timedelta(days=30))
        passed = shares - armed
        armed |= {share for share in passed if used == 0 or used < max(share - HYSTERESIS, share / 2) * limit}
        crossed = {share for share in armed if used > 0 and used >= share * limit}
        expected = [label(max(crossed))] if crossed and max(crossed) > max(shares - armed, default=Decimal(-1)) else []
        armed -= crossed
        found = watched.look(state, tuple(shares))
        assert [draft.facts["threshold"] for draft in found.raised] == expected
        open_keys -= {over.key for over in found.over}
        assert not open_keys & {draft.key for draft in found.raised}, "an open alert would swallow it"
        open_keys |= {draft.key for draft in found.raised}
        assert not watched.look(state, tuple(shares)), "a second look finds nothing new"


# Pace


def use(*figures: float, until: datetime = START + timedelta(days=10)) -> HourlyUse:
    return HourlyUse(until=until, used=[round(figure * DOLLAR) for figure in figures])


def test_a_budget_that_will_not_last_is_said_with_the_hour_it_ends() -> None:
    [draft] = pace.look(account(260), use(*[1.0] * 24), None, console="https://wk.example").raised
    assert draft.facts["exhausted_at"] == (START + timedelta(days=10, hours=240)).isoformat()
    assert wrapped(draft) == snapshot("""\
Budget monthly (feature support) will be used up by 2026-11-21 00:00 UTC
The budget monthly (feature support) will be used up at about 2026-11-21 00:00 UTC, before its
window ends at 2026-12-01 00:00 UTC.
Used: $260.00 of $500.00 settled. Held for calls under way: $3.00. Rate: $1.00 an hour (the median
of the last day's hours). Forecast for the window's end: $740.00; a forecast, estimated from what is
settled.
It counts from 2026-11-01 00:00 UTC to 2026-12-01 00:00 UTC.
What spends: https://wk.example/calls?feature=support
What to do: see what has changed; slow it down, move it to a cheaper target, or raise the budget's
limit.
""")


@pytest.mark.parametrize(
    ("state", "used"),
    [
        (account(100), use(*[0.5] * 24)),
        (account(260), use(*[0.53] * 24)),
        (account(260), use(*[1.0] * 11)),
        (account(260), use(*[0.0] * 19, *[20.0] * 5)),
        (account(260), use(*[0.1] * 20, *[50.0] * 4)),
        (account(260, window_end=None), use(*[1.0] * 24)),
        (account(501), use(*[1.0] * 24)),
        (account(0.1, limit=1), use(*[0.003] * 24)),
        (account(450), use(*[50.0] * 24, until=END - timedelta(hours=1))),
    ],
    ids=[
        "it lasts", "less than a tenth too much", "too little history", "bursts", "one burst", "it has no end",
        "it is used up already", "less than a dollar too much", "it ends as the window does",
    ],
)  # fmt: skip
def test_nothing_is_said_when(state: AccountState, used: HourlyUse) -> None:
    assert pace.look(state, used, None).raised == ()


def test_with_four_weeks_of_history_quiet_hours_ahead_count_as_quiet() -> None:
    """Ten dollars in each of eight hours on five days; it is Friday evening, and the window ends on Sunday night."""
    week = [10.0 if hour % 24 in range(9, 17) and hour < 120 else 0.0 for hour in range(168)]
    friday = 4 * 24 + 17
    history = (week * 5)[: 4 * 168 + friday]
    until = START + timedelta(days=20)
    state = account(400, window_end=until + timedelta(hours=168 - friday))
    ahead = pace.forecast(state, use(*history, until=until))
    assert ahead is not None and ahead.is_seasonal
    assert ahead.at_end == state.settled
    assert pace.look(account(400, window_end=until + timedelta(days=14)), use(*history, until=until), None).raised


def test_a_pace_is_said_once_and_again_only_after_it_had_fitted() -> None:
    mark = None
    said = []
    for rate in (1.0, 1.0, 0.4, 1.0):
        found = pace.look(account(260), use(*[rate] * 24), mark)
        mark = found.mark or mark
        said.append((len(found.raised), [over.is_told for over in found.over]))
    assert said == [(1, []), (0, []), (0, [True]), (1, [])]


def test_a_new_window_ends_the_old_ones_pace_without_a_word() -> None:
    mark = pace.look(account(260), use(*[1.0] * 24), None).mark
    december = account(0, window_start=END, window_end=END + timedelta(days=31))
    found = pace.look(december, use(*[0.1] * 24, until=END + timedelta(days=1)), mark)
    assert [over.is_told for over in found.over] == [False]
    assert found.mark is not None and not found.mark.passed
