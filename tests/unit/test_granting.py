"""How much of what is asked for is granted, and how rates are counted: on numbers alone."""

from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.money.budgets import Limit
from watchkeeper.money.excess import SLACK_NS, Excess
from watchkeeper.money.granting import Standing, decide, grant
from watchkeeper.money.leases import Want
from watchkeeper.money.rates import Rates

AMOUNTS = st.integers(0, 10**12)


@given(need=AMOUNTS, like=AMOUNTS, limit=AMOUNTS, used=AMOUNTS, held=AMOUNTS, workers=st.integers(0, 64))
def test_a_grant_is_the_need_or_more_and_never_more_than_there_is(
    need: int, like: int, limit: int, used: int, held: int, workers: int
) -> None:
    standing = Standing(limit, used, held, 0)
    granted = grant(Want("r", (), need, like), standing, workers)
    if granted is None:
        assert need > max(0, limit - used - held)
        return
    assert need <= granted <= max(need, like)
    assert used + held + granted <= limit or granted == need == 0
    assert granted - need <= max(0, standing.room) // (4 * max(1, workers))
    assert granted - need <= limit // 20


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 50), st.booleans()), max_size=6))
def test_a_question_that_is_refused_changes_nothing(asked: list[tuple[str, int, bool]]) -> None:
    standings = {key: Standing(60, 0, 0, 0) for key in "ab"}
    wants = [(key, Want(key, (), need, need, must)) for key, need, must in asked]
    decision = decide(wants, standings, workers=1)
    held = sum(standing.held for standing in standings.values())
    assert held == sum(account.granted for account in decision.accounts)
    assert all(standing.held <= 60 for standing in standings.values())
    if not decision.is_granted:
        assert held == 0
        assert [account.has_room for account in decision.accounts] == [False]
        assert any(must and key == decision.accounts[0].key for key, _, must in asked)


@given(st.lists(st.tuples(st.floats(0, 40, allow_nan=False), st.integers(1, 30)), min_size=1, max_size=60))
def test_a_fixed_window_never_takes_more_than_its_limit(asked: list[tuple[float, int]]) -> None:
    rates, limit, now_s = Rates(), Limit("r", (), "requests", 100, 60), 1_000_000.0
    taken: dict[int, int] = {}
    for pause_s, amount in asked:
        now_s += pause_s
        if amount <= rates.standing(limit, "r", now_s).room:
            rates.take(limit, "r", "w", amount, now_s)
            window = int(now_s // 60)
            taken[window] = taken.get(window, 0) + amount
    assert max(taken.values()) <= 100


def test_what_the_window_before_counted_fades() -> None:
    rates, limit = Rates(), Limit("r", (), "tokens", 100, 60)
    rates.take(limit, "r", "w", 100, 600.0)
    rooms = [rates.standing(limit, "r", 660.0 + second).room for second in (0, 15, 30, 59.999, 60)]
    assert rooms == [0, 25, 50, 99, 100]


def test_a_lease_of_a_rate_lapses_with_its_window() -> None:
    rates, limit = Rates(), Limit("r", (), "requests", 100, 60)
    rates.take(limit, "r", "w", 40, 600.0)
    assert rates.give("r", "w", 10, 610.0)
    assert rates.standing(limit, "r", 610.0).used == 30
    rates.give("r", "w", 30, 660.0)
    assert rates.standing(limit, "r", 660.0).used == 30


def test_rates_beyond_the_most_that_are_remembered_forget_the_idle_first() -> None:
    rates, limit, slots = Rates(accounts_max=2), Limit("r", (), "requests", 9, 60), Limit("c", (), "concurrent", 9, 0)
    rates.take(limit, "idle", "w", 1, 0.0)
    rates.take(slots, "busy", "w", 1, 0.0)
    rates.take(limit, "new", "w", 1, 1_000.0)
    assert rates.standing(slots, "busy", 1_000.0).held == 1
    assert rates.standing(limit, "new", 1_000.0).used == 1


def test_what_is_booked_of_calls_that_ended_before_the_hello_was_not_lost() -> None:
    excess = Excess(said_ns=10 * SLACK_NS)
    excess.compare({"a": 100, "b": 5}, {"a": 40, "b": 9})
    excess.book("a", 20, ended_ns=9 * SLACK_NS)
    excess.book("a", 7, ended_ns=12 * SLACK_NS)
    assert excess.lost == {"a": 40}
    assert not excess.is_settled(11 * SLACK_NS)
    assert excess.is_settled(11 * SLACK_NS + 1)
