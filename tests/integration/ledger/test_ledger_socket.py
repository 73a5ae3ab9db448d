"""What workers are promised over the ledger's socket, whatever is said on it."""

import asyncio
import stat
from pathlib import Path

import pytest
from sqlalchemy import select
from tests.integration.ledger.lines import HOST, Line, serving, usd_budget, want

from watchkeeper.money.budgets import Limit
from watchkeeper.money.leases import FRAME_BYTES_MAX, Ask, Give, Hello, Want, frame
from watchkeeper.store.control import ControlStore
from watchkeeper.store.ledger import Place, SettledCharge
from watchkeeper.store.tables import ledger_accounts
from watchkeeper.testing import FakeClock


async def test_a_worker_is_granted_what_it_needs_and_a_call_is_booked(
    store: ControlStore, clock: FakeClock, tmp_path: Path
) -> None:
    async with serving(store, clock, tmp_path, usd_budget(1_000)):
        line = await Line.open(tmp_path / "l.sock")
        answer = await line.ask(want(100))
        (account,) = answer.accounts
        assert (answer.is_granted, account.granted, account.used, account.held) == (True, 100, 0, 100)
        at_s = clock.unix_ns() // 10**9
        charge = SettledCharge(1, "call-1", at_s, clock.unix_ns(), f"{HOST}/w0.1", account.key, "b", "nusd", 30, 30)
        assert await store.ledger.settle(f"{HOST}/w0", Place("s", 1), [charge]) == 1
        assert await store.ledger.settle(f"{HOST}/w0", Place("s", 1), [charge]) == 0
        (account,) = (await line.ask(want(0))).accounts
        assert (account.used, account.held) == (30, 70)


async def test_the_socket_is_for_its_owner_only_and_goes_with_the_service(
    store: ControlStore, clock: FakeClock, tmp_path: Path
) -> None:
    async with serving(store, clock, tmp_path, usd_budget(1_000)):
        assert stat.S_IMODE((tmp_path / "l.sock").stat().st_mode) == 0o600
    assert not (tmp_path / "l.sock").exists()


async def test_of_a_question_with_several_wants_all_are_granted_or_none(
    store: ControlStore, clock: FakeClock, tmp_path: Path
) -> None:
    async with serving(store, clock, tmp_path, usd_budget(1_000), usd_budget(10, "small")):
        line = await Line.open(tmp_path / "l.sock")
        answer = await line.ask(want(100), want(11, rule="small"))
        assert not answer.is_granted
        (short,) = answer.accounts
        assert (short.key, short.has_room, short.limit, short.granted) == ("small|acme", False, 10, 0)
        (first, second) = (await line.ask(want(900), want(10, rule="small"))).accounts
        assert (first.granted, second.granted) == (900, 10)
        answer = await line.ask(want(100), want(11, rule="small", must=False))
        assert [(account.granted, account.has_room) for account in answer.accounts] == [(100, True), (0, False)]


async def test_nothing_is_refused_because_a_neighbour_sits_on_what_it_does_not_need(
    store: ControlStore, clock: FakeClock, tmp_path: Path
) -> None:
    async with serving(store, clock, tmp_path, usd_budget(1_000)):
        rich, poor = await Line.open(tmp_path / "l.sock", "w0.1"), await Line.open(tmp_path / "l.sock", "w1.1")
        await rich.ask(want(1_000))
        poor.say(Ask(1, (want(300),)))
        assert (await rich.recalled()).keys == ("b|acme",)
        rich.say(Give({"b|acme": 400}))
        answer = await poor.answer()
        assert answer.is_granted
        assert answer.accounts[0].held == 900


async def test_a_neighbour_that_says_nothing_does_not_hold_up_a_refusal(
    store: ControlStore, clock: FakeClock, tmp_path: Path
) -> None:
    async with serving(store, clock, tmp_path, usd_budget(1_000)):
        rich, poor = await Line.open(tmp_path / "l.sock", "w0.1"), await Line.open(tmp_path / "l.sock", "w1.1")
        await rich.ask(want(1_000))
        poor.say(Ask(1, (want(300),)))
        answer = await asyncio.wait_for(poor.answer(), 2)
        assert not answer.is_granted
        assert (answer.accounts[0].limit, answer.accounts[0].held) == (1_000, 1_000)
        assert answer.accounts[0].resets_s == 1769904000  # 2026-02-01, as the clock starts in January


async def test_leases_outlive_the_service(store: ControlStore, clock: FakeClock, tmp_path: Path) -> None:
    async with serving(store, clock, tmp_path, usd_budget(1_000)):
        line = await Line.open(tmp_path / "l.sock")
        await line.ask(want(600))
    async with serving(store, clock, tmp_path, usd_budget(1_000)):
        again = await Line.open(tmp_path / "l.sock", leased={"b|acme": 600})
        other = await Line.open(tmp_path / "l.sock", "w1.1")
        other.say(Ask(1, (want(401),)))
        await again.recalled()
        again.say(Give({}))
        assert not (await other.answer()).is_granted


async def test_what_an_unknown_life_holds_is_believed_once(
    store: ControlStore, clock: FakeClock, tmp_path: Path
) -> None:
    async with serving(store, clock, tmp_path, usd_budget(1_000)):
        line = await Line.open(tmp_path / "l.sock", leased={"b|acme": 600, "nobody|knows": 5})
        assert (await line.ask(want(0))).accounts[0].held == 600
        line.close()
        line = await Line.open(tmp_path / "l.sock", leased={"b|acme": 900})
        assert (await line.ask(want(0))).accounts[0].held == 600


@pytest.mark.parametrize(
    "said",
    [
        (FRAME_BYTES_MAX + 1).to_bytes(4, "little"),
        b"\x03\x00\x00\x00abc",
        frame(Hello("again.1", "again")),
        frame(Ask(1, (Want("b", ("acme",), -1, 5),))),
        frame(Ask(1, (Want("b", ("acme",), 1, -5),))),
        frame(Ask(1, tuple(Want("b", ("acme",), 1, 1) for _ in range(257)))),
        frame(Give({"b|acme": -5})),
        b"GET / HTTP/1.1\r\n\r\n",
    ],
)
async def test_who_says_what_makes_no_sense_is_cut_and_the_others_go_on(
    store: ControlStore, clock: FakeClock, tmp_path: Path, said: bytes
) -> None:
    async with serving(store, clock, tmp_path, usd_budget(1_000)):
        good = await Line.open(tmp_path / "l.sock", "w0.1")
        await good.ask(want(10))
        bad = await Line.open(tmp_path / "l.sock", "bad.1")
        bad.writer.write(said)
        assert await bad.is_cut()
        assert (await good.ask(want(0))).accounts[0].held == 10


@pytest.mark.parametrize("said", [frame(Ask(1, ())), frame(Give({})), b"\xff" * 64, frame(Hello("", "w"))])
async def test_who_does_not_say_first_who_it_is_is_cut(
    store: ControlStore, clock: FakeClock, tmp_path: Path, said: bytes
) -> None:
    async with serving(store, clock, tmp_path, usd_budget(1_000)):
        nobody = Line(*await asyncio.open_unix_connection(str(tmp_path / "l.sock")))
        nobody.writer.write(said)
        assert await nobody.is_cut()


async def test_half_a_message_changes_nothing(store: ControlStore, clock: FakeClock, tmp_path: Path) -> None:
    async with serving(store, clock, tmp_path, usd_budget(1_000)):
        line = await Line.open(tmp_path / "l.sock")
        line.writer.write(frame(Ask(1, (want(100),)))[:-1])
        await line.writer.drain()
        line.close()
        other = await Line.open(tmp_path / "l.sock", "w1.1")
        assert (await other.ask(want(0))).accounts[0].held == 0


async def test_about_a_rule_that_the_keeper_does_not_know_the_worker_is_left_in_doubt(
    store: ControlStore, clock: FakeClock, tmp_path: Path
) -> None:
    async with serving(store, clock, tmp_path, usd_budget(1_000)) as service:
        line = await Line.open(tmp_path / "l.sock")
        line.say(Ask(7, (want(1), want(1, rule="unheard of"))))
        answer = await line.ask(want(0))
        assert (answer.number, answer.accounts[0].held) == (1, 0)
        await service.follow({"unheard of": usd_budget(5, "unheard of")})
        assert (await line.ask(want(1), want(1, rule="unheard of"))).is_granted


async def test_a_lowered_limit_holds_at_once_and_calls_leases_back(
    store: ControlStore, clock: FakeClock, tmp_path: Path
) -> None:
    async with serving(store, clock, tmp_path, usd_budget(1_000)) as service:
        line = await Line.open(tmp_path / "l.sock")
        await line.ask(want(800))
        await service.follow({"b": usd_budget(500)})
        assert (await line.recalled()).keys == ("b|acme",)
        line.say(Give({"b|acme": 300}))
        assert not (await line.ask(want(1))).is_granted
        line.say(Give({"b|acme": 100}))
        assert (await line.ask(want(100))).is_granted


async def test_a_limit_of_requests_slides(store: ControlStore, clock: FakeClock, tmp_path: Path) -> None:
    rate = Limit("r", (("tenant", "*"),), "requests", 100, 60)
    async with serving(store, clock, tmp_path, rate):
        line = await Line.open(tmp_path / "l.sock")
        assert (await line.ask(want(100, rule="r"))).is_granted
        assert not (await line.ask(want(1, rule="r"))).is_granted
        clock.advance(60 + 30)
        answer = await line.ask(want(50, rule="r"))
        assert (answer.is_granted, answer.accounts[0].used) == (True, 50)
        assert not (await line.ask(want(1, rule="r"))).is_granted


async def test_slots_are_free_again_when_their_worker_is_gone(
    store: ControlStore, clock: FakeClock, tmp_path: Path
) -> None:
    slots = Limit("c", (("tenant", "*"),), "concurrent", 3, 0)
    async with serving(store, clock, tmp_path, slots):
        one, two = await Line.open(tmp_path / "l.sock", "w0.1"), await Line.open(tmp_path / "l.sock", "w1.1")
        assert (await one.ask(want(2, rule="c"))).is_granted
        assert (await two.ask(want(1, rule="c"))).is_granted
        two.say(Ask(7, (want(1, rule="c"),)))
        await one.recalled()
        one.close()
        assert (await two.answer()).is_granted or (await two.ask(want(1, rule="c"))).is_granted


async def test_what_is_given_back_of_a_rate_that_the_keeper_forgot_makes_no_account(
    store: ControlStore, clock: FakeClock, tmp_path: Path
) -> None:
    rate = Limit("r", (("tenant", "*"),), "requests", 10, 60)
    async with serving(store, clock, tmp_path, rate, usd_budget(5)):
        line = await Line.open(tmp_path / "l.sock")
        line.say(Give({"r|acme": 5, "b|acme": 1}))
        assert (await line.ask(want(0))).is_granted
    assert [state.key for state in await store.ledger.states()] == ["b|acme"]
    assert await store.ledger.state("r|acme") is None
    async with store.ledger._engine.connect() as connection:  # what people are never shown
        keys = (await connection.execute(select(ledger_accounts.c.key))).scalars().all()
    assert keys == ["b|acme"]


async def test_what_a_budget_refuses_does_not_use_up_a_limit(
    store: ControlStore, clock: FakeClock, tmp_path: Path
) -> None:
    rate = Limit("r", (("tenant", "*"),), "requests", 10, 60)
    async with serving(store, clock, tmp_path, rate, usd_budget(5)):
        line = await Line.open(tmp_path / "l.sock")
        assert not (await line.ask(want(10, rule="r"), want(6))).is_granted
        assert (await line.ask(want(10, rule="r"), want(5))).is_granted


async def test_five_hundred_connections_ask_at_once_and_get_what_there_is(
    store: ControlStore, clock: FakeClock, tmp_path: Path
) -> None:
    async with serving(store, clock, tmp_path, usd_budget(1_000)):
        lines = [await Line.open(tmp_path / "l.sock", f"w{number}.1") for number in range(500)]
        answers = await asyncio.gather(*[line.ask(want(4)) for line in lines])
        assert sum(answer.accounts[0].granted for answer in answers) == 1_000
        assert sum(answer.is_granted for answer in answers) == 250


@pytest.mark.parametrize("need", [2**62 + 1, 2**64 - 1])
async def test_a_need_beyond_measure_is_refused_and_the_line_stands(
    store: ControlStore, clock: FakeClock, tmp_path: Path, need: int
) -> None:
    async with serving(store, clock, tmp_path, usd_budget(2**63 - 1)):
        line = await Line.open(tmp_path / "l.sock")
        answer = await line.ask(want(need))
        (account,) = answer.accounts
        assert (answer.is_granted, account.granted, account.limit) == (False, 0, 2**63 - 1)
        answer = await line.ask(want(need, must=False), want(10, tenant="other"))
        assert [(account.granted, account.has_room) for account in answer.accounts] == [(0, False), (10, True)]
        (account,) = (await line.ask(want(5, like=need))).accounts
        assert 5 <= account.granted <= 2**62
