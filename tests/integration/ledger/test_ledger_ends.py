"""What a dead worker leaves behind is neither lost nor stuck: it is booked, or somebody is asked about it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest
from tests.integration.ledger.lines import HOST, usd_budget, want

from watchkeeper.money.leases import Held
from watchkeeper.money.windows import Window
from watchkeeper.server.lives import Lives, Surroundings
from watchkeeper.store.control import ControlStore
from watchkeeper.store.ledger import Life, Place, Question, SettledCharge
from watchkeeper.store.ledger_rows import AccountUnknown, RowClosed, RowUnknown
from watchkeeper.testing import FakeClock

KEY = "b|acme"
HOLDER = f"{HOST}/w0.1"
LIFE = Life(HOLDER, HOST, "w0", 4711, "born")


@dataclass
class World:
    """What the keeper sees of its workers."""

    books: Path
    connected: dict[str, str] = field(default_factory=dict[str, str])
    undrained: set[str] = field(default_factory=set[str])
    taken_in_ns: int = 0
    stored: set[str] = field(default_factory=set[str])
    dead: set[int] = field(default_factory=set[int])

    async def stored_ids(self, ids: Sequence[str]) -> frozenset[str]:
        return frozenset(self.stored & set(ids))

    def leave_book(self, name: str, *holds: Held, pid: int = 4711) -> None:
        (self.books / name).write_bytes(msgspec.msgpack.encode((pid, holds)))

    def around(self) -> Surroundings:
        return Surroundings(
            connected=lambda: self.connected,
            is_drained=lambda worker, before_ns: worker not in self.undrained,
            taken_in_ns=lambda worker: self.taken_in_ns,
            stored_ids=self.stored_ids,
            read_holds=lambda path: msgspec.msgpack.decode(path.read_bytes(), type=tuple[int, list[Held]]),
            lives=lambda pid, born: pid not in self.dead,
        )


@pytest.fixture
def world(tmp_path: Path) -> World:
    books = tmp_path / "holds"
    books.mkdir()
    return World(books)


@pytest.fixture
async def lives(store: ControlStore, clock: FakeClock, world: World) -> Lives:
    await store.ledger.know([usd_budget(1_000)])
    await store.ledger.greet(LIFE, {})
    await store.ledger.serve([Question(HOLDER, (want(400),))])
    return Lives(store.ledger, world.around(), clock, host=HOST, books=world.books)


def charge(clock: FakeClock, amount: int | None, *, call: str = "c", records: int = 1, drawn: int = 0) -> SettledCharge:
    now_ns = clock.unix_ns()
    return SettledCharge(records, call, now_ns // 10**9, now_ns, HOLDER, KEY, "b", "nusd", drawn, amount)


async def standing(store: ControlStore) -> tuple[int, int, int]:
    state = await store.ledger.state(KEY)
    assert state is not None
    return state.settled, state.leased, state.expired


async def test_a_worker_that_lives_keeps_its_leases_also_without_a_connection(
    store: ControlStore, lives: Lives, world: World
) -> None:
    assert await lives.look() == 0
    world.connected = {HOLDER: "w0"}
    assert await lives.look() == 0
    assert await standing(store) == (0, 400, 0)


async def test_the_leases_of_a_dead_worker_are_free_once_its_spool_is_taken_in(
    store: ControlStore, lives: Lives, world: World
) -> None:
    world.dead, world.undrained = {4711}, {"w0"}
    assert await lives.look() == 0
    assert await standing(store) == (0, 400, 0)
    world.undrained = set()
    assert await lives.look() == 1
    assert await standing(store) == (0, 0, 0)
    assert await lives.look() == 0


async def test_another_life_of_the_same_worker_ends_the_one_before(
    store: ControlStore, lives: Lives, world: World
) -> None:
    await store.ledger.greet(Life(f"{HOST}/w0.2", HOST, "w0", 4712, "later"), {})
    world.connected = {f"{HOST}/w0.2": "w0"}
    assert await lives.look() == 1
    assert await standing(store) == (0, 0, 0)


async def test_a_hold_without_a_record_stays_unavailable_until_somebody_resolves_it(
    store: ControlStore, lives: Lives, world: World, clock: FakeClock
) -> None:
    at_ns = clock.unix_ns()
    world.leave_book("w0.1", Held("seen", at_ns, ((KEY, 70),)), Held("lost", at_ns, ((KEY, 50), ("b|other", 5))))
    world.stored, world.dead = {"seen"}, {4711}
    assert await lives.look() == 1
    assert await standing(store) == (0, 0, 50)
    assert not list(world.books.glob("w0.*"))
    rows = await store.ledger.rows()
    assert {(row.account, row.call_id, row.amount, row.state) for row in rows} == {
        (KEY, "lost", 50, "open"),
        ("b|other", "lost", 5, "open"),
    }
    (decision,) = await store.ledger.serve([Question("x", (want(951),))])
    assert not decision.is_granted

    (row,) = await store.ledger.rows(account=KEY)
    clock.advance(40 * 86_400)
    done = await store.ledger.resolve(row.id, 30, actor="ana", reason="from the bill")
    assert (done.state, done.settled, done.actor) == ("settled", 30, "ana")
    assert await standing(store) == (0, 0, 0)  # it belongs to the month of the call, which is over
    assert await store.ledger.verify({}) == {}
    with pytest.raises(RowClosed):
        await store.ledger.resolve(row.id, 30, actor="ana")
    with pytest.raises(RowUnknown):
        await store.ledger.resolve(999, 30, actor="ana")


async def test_a_keeper_that_dies_while_it_ends_a_life_ends_it_once(
    store: ControlStore, lives: Lives, world: World, clock: FakeClock
) -> None:
    hold = Held("lost", clock.unix_ns(), ((KEY, 50),))
    world.leave_book("w0.1", hold)
    world.dead = {4711}
    await store.ledger.end(HOLDER, [hold])  # and here it dies
    (row,) = await store.ledger.rows()
    await store.ledger.resolve(row.id, 0, actor="ana")
    again = Lives(store.ledger, world.around(), clock, host=HOST, books=world.books)
    assert await again.look() == 1
    assert await standing(store) == (0, 0, 0)
    assert await store.ledger.rows() == []
    assert await again.look() == 0


async def test_a_call_that_turns_up_after_all_closes_its_expired_hold(
    store: ControlStore, lives: Lives, world: World, clock: FakeClock
) -> None:
    world.leave_book("w0.1", Held("late", clock.unix_ns(), ((KEY, 50),)))
    world.dead = {4711}
    await lives.look()
    await store.ledger.settle("s", Place("seg", 1), [charge(clock, 40, call="late")])
    assert await standing(store) == (40, 0, 0)
    assert await store.ledger.verify({KEY: 40}) == {}


async def test_a_book_without_a_reader_stays(store: ControlStore, lives: Lives, world: World, clock: FakeClock) -> None:
    (world.books / "w0.1").write_bytes(b"?")
    world.dead = {4711}
    with pytest.raises(msgspec.MsgspecError):
        await lives.look()
    assert (world.books / "w0.1").exists()
    assert await standing(store) == (0, 400, 0)


async def test_what_a_broken_line_has_lost_is_available_again(
    store: ControlStore, lives: Lives, world: World, clock: FakeClock
) -> None:
    """The worker was granted 400 and only heard of 150; a call that drew 60 of them is on its way through the spool."""
    await store.ledger.greet(LIFE, {KEY: 90})
    world.connected = {HOLDER: "w0"}
    await lives.look()
    assert await standing(store) == (0, 400, 0)
    await store.ledger.settle("s", Place("seg", 1), [charge(clock, 60, drawn=60)])
    clock.advance(5)
    await store.ledger.settle("s", Place("seg", 2), [charge(clock, 10, drawn=10, records=2)])
    world.taken_in_ns = clock.unix_ns()
    await lives.look()
    assert await standing(store) == (70, 80, 0)


async def test_what_nobody_can_price_counts_as_nothing_and_is_counted(
    store: ControlStore, lives: Lives, clock: FakeClock
) -> None:
    await store.ledger.settle("s", Place("seg", 1), [charge(clock, None)])
    state = await store.ledger.state(KEY)
    assert state is not None
    assert (state.settled, state.unpriced_calls) == (0, 1)


async def test_a_top_up_makes_room_and_is_a_row(store: ControlStore, lives: Lives, clock: FakeClock) -> None:
    await store.ledger.adjust(KEY, -500, actor="ana", reason="launch")
    (decision,) = await store.ledger.serve([Question("x", (want(1_100),))])
    assert decision.is_granted
    (row,) = await store.ledger.rows(only_open=False)
    assert (row.kind, row.settled, row.reason) == ("adjusted", -500, "launch")
    assert await store.ledger.verify({}) == {}
    with pytest.raises(AccountUnknown):
        await store.ledger.adjust("nobody|x", 1, actor="ana", reason="")


async def test_what_a_rolling_window_has_left_is_put_together_and_stays_in_the_sum(
    store: ControlStore, clock: FakeClock
) -> None:
    await store.ledger.know([usd_budget(1_000, window=Window("rolling", length_s=3_600))])
    for number in range(1, 200):
        await store.ledger.settle("s", Place("seg", number), [charge(clock, 1, records=number)])
        clock.advance(60)
    assert await standing(store) == (60, 0, 0)
    assert await store.ledger.fold() == 1
    assert await store.ledger.fold() == 0
    assert await standing(store) == (60, 0, 0)
    assert await store.ledger.verify({KEY: 199}) == {}
    clock.advance(3_600)
    assert await standing(store) == (0, 0, 0)


async def test_an_account_that_is_only_leased_is_listed(store: ControlStore, lives: Lives) -> None:
    assert [state.leased for state in await store.ledger.states(top=5)] == [400]


async def test_verify_names_what_does_not_add_up(store: ControlStore, lives: Lives, clock: FakeClock) -> None:
    await store.ledger.settle("s", Place("seg", 1), [charge(clock, 40)])
    assert await store.ledger.verify({KEY: 40}) == {}
    assert await store.ledger.verify({KEY: 39, "b|ghost": 1}) == {KEY: (40, 39), "b|ghost": (0, 1)}


async def test_the_fullest_accounts_come_first(store: ControlStore, lives: Lives, clock: FakeClock) -> None:
    charges = [charge(clock, amount)._replace(key=f"b|t{amount}") for amount in (5, 500, 50)]
    await store.ledger.settle("s", Place("seg", 1), charges)
    assert [state.key for state in await store.ledger.states(top=2)] == ["b|t500", "b|t50"]
    first, *_ = await store.ledger.states()
    assert (first.scope, first.limit, first.settled, first.window_end) == (
        {"tenant": "t500"}, 1_000, 500, first.window_end,
    )  # fmt: skip
    await store.ledger.know([])
    assert await store.ledger.states() == []
    gone = await store.ledger.state("b|t500")
    assert gone is not None
    assert gone.settled == 500
