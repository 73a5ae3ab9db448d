"""Connections to upstreams are reused, bounded, and opened or given up in time."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from tests.contract.wire.certificates import Certificates
from tests.contract.wire.rig import Hand, Raw, Remembered, Upstream, post, until

from watchkeeper.gateway.wire.client import (
    BodyCut,
    ConnectFailed,
    ConnectionLost,
    ConnectRefused,
    ConnectTimeout,
    NameUnresolved,
    Origin,
    Pool,
    PoolFull,
    PoolLimits,
    TlsFailed,
    origin_of,
)

Start = Callable[..., Awaitable[Upstream]]
REPLY = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def answers(raw: Raw) -> None:
    while await raw.read_until(b"{}"):
        await raw.send(REPLY)


async def answers_once(raw: Raw) -> None:
    await raw.read_until(b"{}")
    await raw.send(REPLY)


async def says_nothing(raw: Raw) -> None:
    await raw.rest()


@asynccontextmanager
async def pool_of(limits: PoolLimits, hand: Hand | None = None, ca_file: str | None = None) -> AsyncIterator[Pool]:
    pool = Pool(asyncio.get_running_loop(), limits, clock=hand or Hand(), tick_s=0.01, ca_file=ca_file)
    yield pool
    await pool.close()


async def ask(pool: Pool, origin: Origin, timeout_s: float = 5) -> Remembered:
    sink = Remembered()
    await pool.send(origin, *post(), sink, connect_timeout_s=timeout_s)
    return sink


# reuse


async def test_connection_is_used_again_without_waiting(pool: Pool, upstream: Start) -> None:
    one = await upstream(answers)
    first = Remembered()
    flight = await pool.send(one.origin, *post(), first, connect_timeout_s=5)
    assert flight.connect_ms is not None
    await first.outcome()
    second = Remembered()
    again = pool.send_now(one.origin, *post(), second, connect_timeout_s=5)
    assert again is not None
    assert again.connect_ms is None
    assert await second.outcome() is None
    assert one.accepted == 1


async def test_most_recently_used_connection_is_used_first(pool: Pool, upstream: Start, hand: Hand) -> None:
    one = await upstream(answers)
    for sink in await asyncio.gather(*(ask(pool, one.origin) for _ in range(3))):
        await sink.outcome()
    assert one.accepted == 3
    for _ in range(20):
        hand.move(4)
        await (await ask(pool, one.origin)).outcome()
    await until(lambda: one.open == 1)
    assert one.accepted == 3


async def test_idle_connections_are_closed_in_time(upstream: Start, hand: Hand) -> None:
    one = await upstream(answers)
    async with pool_of(PoolLimits(idle_s=30), hand) as pool:
        await (await ask(pool, one.origin)).outcome()
        hand.move(29)
        await asyncio.sleep(0.03)
        assert one.open == 1
        hand.move(2)
        await until(lambda: one.open == 0)


async def test_no_more_idle_connections_are_kept_than_allowed(upstream: Start) -> None:
    one = await upstream(answers)
    async with pool_of(PoolLimits(idle_per_origin_max=2)) as pool:
        for sink in await asyncio.gather(*(ask(pool, one.origin) for _ in range(5))):
            await sink.outcome()
        assert one.accepted == 5
        await until(lambda: one.open == 2)


async def test_connection_that_the_upstream_closed_while_idle_is_not_used(pool: Pool, upstream: Start) -> None:
    one = await upstream(answers_once, answers)
    await (await ask(pool, one.origin)).outcome()
    await until(lambda: one.open == 0)
    await asyncio.sleep(0.01)
    assert await (await ask(pool, one.origin)).outcome() is None


async def test_connection_with_bytes_nobody_asked_for_is_not_used(pool: Pool, upstream: Start) -> None:
    async def talks(raw: Raw) -> None:
        await raw.read_until(b"{}")
        await raw.send(REPLY)
        await asyncio.sleep(0.01)
        await raw.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfake")
        await raw.rest()

    one = await upstream(talks, answers)
    await (await ask(pool, one.origin)).outcome()
    await until(lambda: one.open == 0)
    sink = await ask(pool, one.origin)
    assert await sink.outcome() is None
    assert sink.body == b"ok"


async def test_connection_whose_reply_ended_while_paused_is_used_again(pool: Pool, upstream: Start) -> None:
    class Slow(Remembered):
        def on_data(self, data: bytes) -> None:
            super().on_data(data)
            flight.pause()

    one = await upstream(answers)
    sink = Slow()
    flight = await pool.send(one.origin, *post(), sink, connect_timeout_s=5)
    assert await sink.outcome() is None
    assert await (await ask(pool, one.origin)).outcome() is None
    assert one.accepted == 1


# requests that meet a connection which the upstream is just closing


async def closes_on_the_second_request(raw: Raw) -> None:
    await raw.read_until(b"{}")
    await raw.send(REPLY)
    await raw.read_until(b"{}")


async def test_request_on_a_connection_that_was_closed_meanwhile_is_sent_once_more(pool: Pool, upstream: Start) -> None:
    one = await upstream(closes_on_the_second_request, answers)
    await (await ask(pool, one.origin)).outcome()
    sink = Remembered()
    flight = await pool.send(one.origin, *post(), sink, connect_timeout_s=5)
    assert await sink.outcome() is None
    assert sink.body == b"ok"
    assert flight.connect_ms is not None
    assert one.accepted == 2


async def test_request_is_not_sent_a_third_time(pool: Pool, upstream: Start) -> None:
    async def closes(raw: Raw) -> None:
        await raw.read_until(b"{}")

    one = await upstream(closes_on_the_second_request, closes)
    await (await ask(pool, one.origin)).outcome()
    assert isinstance(await (await ask(pool, one.origin)).outcome(), ConnectionLost)
    assert one.accepted == 2


async def test_request_is_not_sent_again_after_a_single_byte_of_reply(pool: Pool, upstream: Start) -> None:
    async def begins(raw: Raw) -> None:
        await raw.read_until(b"{}")
        await raw.send(REPLY)
        await raw.read_until(b"{}")
        await raw.send(b"H")

    one = await upstream(begins, answers)
    await (await ask(pool, one.origin)).outcome()
    assert isinstance(await (await ask(pool, one.origin)).outcome(), ConnectionLost)
    assert one.accepted == 1


async def test_request_that_the_upstream_may_have_worked_on_is_not_sent_again(
    pool: Pool, upstream: Start, hand: Hand
) -> None:
    one = await upstream(closes_on_the_second_request, answers)
    await (await ask(pool, one.origin)).outcome()
    sink = Remembered()
    assert pool.send_now(one.origin, *post(), sink, connect_timeout_s=5) is not None
    hand.move(2)
    assert isinstance(await sink.outcome(), ConnectionLost)
    assert one.accepted == 1


async def test_request_on_a_fresh_connection_is_never_sent_again(pool: Pool, upstream: Start) -> None:
    async def closes(raw: Raw) -> None:
        await raw.read_until(b"{}")

    one = await upstream(closes, answers)
    assert isinstance(await (await ask(pool, one.origin)).outcome(), ConnectionLost)
    assert one.accepted == 1


async def test_fault_of_the_second_connection_reaches_the_sink(pool: Pool, upstream: Start) -> None:
    async def last(raw: Raw) -> None:
        await raw.read_until(b"{}")
        await raw.send(REPLY)
        await raw.read_until(b"{}")
        await one.stop_listening()

    one = await upstream(last)
    await (await ask(pool, one.origin)).outcome()
    assert isinstance(await (await ask(pool, one.origin)).outcome(), ConnectRefused)


async def test_cancel_while_the_request_is_sent_again_is_silent(pool: Pool, upstream: Start) -> None:
    one = await upstream(closes_on_the_second_request, answers)
    await (await ask(pool, one.origin)).outcome()
    sink = Remembered()
    flight = await pool.send(one.origin, *post(), sink, connect_timeout_s=5)
    while flight.connection is not None:
        await asyncio.sleep(0)
    flight.cancel()
    await asyncio.sleep(0.05)
    assert (sink.heads, sink.ends) == (0, [])


# cancelling


async def test_cancel_closes_the_connection_and_says_nothing_more(pool: Pool, upstream: Start) -> None:
    async def drips(raw: Raw) -> None:
        await raw.read_until(b"{}")
        await raw.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            await raw.send(b"1\r\na\r\n")
            await asyncio.sleep(0.001)

    one = await upstream(drips)
    sink = Remembered()
    flight = await pool.send(one.origin, *post(), sink, connect_timeout_s=5)
    await until(sink.got_data.is_set)
    flight.cancel()
    heard = len(sink.parts)
    await until(lambda: one.open == 0)
    flight.cancel()
    flight.pause()
    flight.resume()
    assert (len(sink.parts), sink.ends) == (heard, [])


@pytest.mark.parametrize("where", ["on_head", "on_data"])
async def test_sink_may_cancel_while_it_is_told_something(pool: Pool, upstream: Start, where: str) -> None:
    class Hasty(Remembered):
        def on_head(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
            super().on_head(status, headers)
            if where == "on_head":
                flight.cancel()

        def on_data(self, data: bytes) -> None:
            super().on_data(data)
            flight.cancel()

    one = await upstream(answers)
    sink = Hasty()
    flight = await pool.send(one.origin, *post(), sink, connect_timeout_s=5)
    await until(lambda: one.open == 0 and one.accepted == 1)
    assert (len(sink.parts), sink.ends) == (0 if where == "on_head" else 1, [])


async def test_closed_pool_ends_what_is_under_way(upstream: Start) -> None:
    async def half(raw: Raw) -> None:
        await raw.read_until(b"{}")
        await raw.send(REPLY[:-1])
        await raw.rest()

    one = await upstream(half)
    async with pool_of(PoolLimits()) as pool:
        sink = await ask(pool, one.origin)
        await until(sink.got_data.is_set)
    assert isinstance(await sink.outcome(), BodyCut)
    with pytest.raises(PoolFull, match="closed"):
        await ask(pool, one.origin)


# limits


async def test_call_waits_for_a_connection_and_gets_it_in_its_turn(upstream: Start) -> None:
    gates = [asyncio.Event() for _ in range(4)]
    order: list[int] = []

    async def gated(raw: Raw) -> None:
        for number in range(4):
            await raw.read_until(b"{}")
            order.append(number)
            await gates[number].wait()
            await raw.send(REPLY)

    one = await upstream(gated)
    async with pool_of(PoolLimits(connections_per_origin_max=1)) as pool:
        first = await ask(pool, one.origin)
        others = [asyncio.ensure_future(ask(pool, one.origin)) for _ in range(3)]
        await until(lambda: order == [0])
        assert not any(other.done() for other in others)
        for number in range(3):
            gates[number].set()
            await until(lambda: len(order) == number + 2)  # noqa: B023 (awaited at once)
            assert [other.done() for other in others] == [place <= number for place in range(3)]
        gates[3].set()
        for sink in [first, *[await other for other in others]]:
            assert await sink.outcome() is None
        assert (order, one.accepted) == ([0, 1, 2, 3], 1)


async def test_call_that_waits_gets_a_new_connection_when_one_was_lost(upstream: Start) -> None:
    async def closes(raw: Raw) -> None:
        await raw.read_until(b"{}")
        await asyncio.sleep(0.02)

    one = await upstream(closes, answers)
    async with pool_of(PoolLimits(connections_per_origin_max=1)) as pool:
        first = await ask(pool, one.origin)
        second = await ask(pool, one.origin)
        assert isinstance(await first.outcome(), ConnectionLost)
        assert await second.outcome() is None


async def test_call_whose_turn_was_taken_by_another_waits_on(upstream: Start) -> None:
    """A reply's end may start the next call before the call that waits has woken up."""

    class Chained(Remembered):
        def on_end(self) -> None:
            super().on_end()
            assert pool.send_now(one.origin, *post(), quick, connect_timeout_s=5) is not None

    one = await upstream(answers)
    quick = Remembered()
    async with pool_of(PoolLimits(connections_per_origin_max=1)) as pool:
        first = Chained()
        await pool.send(one.origin, *post(), first, connect_timeout_s=5)
        waiting = asyncio.ensure_future(ask(pool, one.origin))
        for sink in (first, quick, await waiting):
            assert await sink.outcome() is None
        assert one.accepted == 1


async def test_call_that_waits_too_long_is_told_so(upstream: Start) -> None:
    one = await upstream(says_nothing)
    async with pool_of(PoolLimits(connections_per_origin_max=1)) as pool:
        await ask(pool, one.origin)
        with pytest.raises(PoolFull, match="until the connect timeout"):
            await ask(pool, one.origin, timeout_s=0.02)


async def test_call_behind_too_many_others_is_told_so_at_once(upstream: Start) -> None:
    one = await upstream(says_nothing)
    async with pool_of(PoolLimits(connections_per_origin_max=1, waiting_per_origin_max=2)) as pool:
        await ask(pool, one.origin)
        waiting = [asyncio.ensure_future(ask(pool, one.origin)) for _ in range(2)]
        await asyncio.sleep(0.01)
        with pytest.raises(PoolFull, match="too many"):
            await ask(pool, one.origin)
        for call in waiting:
            call.cancel()


# opening


async def test_nobody_listens(pool: Pool) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        origin = Origin("http", "127.0.0.1", free.getsockname()[1])
        with pytest.raises(ConnectRefused, match="Nobody listens"):
            await ask(pool, origin)


async def test_name_has_no_address(pool: Pool) -> None:
    with pytest.raises(NameUnresolved, match=r"nowhere\.invalid"):
        await ask(pool, Origin("http", "nowhere.invalid", 80))


async def test_upstream_does_not_accept_in_time(pool: Pool) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        others = [socket.socket() for _ in range(4)]
        for other in others:
            other.setblocking(False)
            other.connect_ex(address)
        with pytest.raises(ConnectTimeout, match=r"0\.05 s"):
            await ask(pool, Origin("http", *address), timeout_s=0.05)
        for other in others:
            other.close()


@pytest.mark.parametrize("fault", [ConnectRefused, NameUnresolved, TlsFailed])
def test_ways_to_fail_to_connect_are_one_family(fault: type[ConnectFailed]) -> None:
    assert issubclass(fault, ConnectFailed)


# TLS


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


async def secure(certificates: Certificates, name: str, host: str = "localhost") -> tuple[Upstream, list[str | None]]:
    """Start an upstream with a certificate for a name; return it and the names it was asked for."""
    asked: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.issue(name))

    def note(_socket: object, name: str | None, _context: ssl.SSLContext) -> None:
        asked.append(name)

    context.sni_callback = note
    one = Upstream([answers])
    await one.start(context, host)
    return one, asked


async def test_upstream_with_a_certificate_of_the_given_authority_is_trusted(certificates: Certificates) -> None:
    one, asked = await secure(certificates, "localhost")
    async with pool_of(PoolLimits(), ca_file=str(certificates.authority)) as pool:
        for _ in range(2):
            sink = await ask(pool, one.origin)
            assert await sink.outcome() is None
            assert sink.body == b"ok"
    assert asked == ["localhost"]
    await one.stop()


async def test_upstream_with_an_unknown_authority_is_refused(pool: Pool, certificates: Certificates) -> None:
    one, _ = await secure(certificates, "localhost")
    with pytest.raises(TlsFailed, match="certificate"):
        await ask(pool, one.origin)
    await one.stop()


async def test_upstream_with_a_certificate_for_another_name_is_refused(certificates: Certificates) -> None:
    one, _ = await secure(certificates, "other.example")
    async with pool_of(PoolLimits(), ca_file=str(certificates.authority)) as pool:
        with pytest.raises(TlsFailed, match="localhost"):
            await ask(pool, one.origin)
    await one.stop()


async def test_upstream_without_tls_at_an_https_address_is_refused(pool: Pool, upstream: Start) -> None:
    async def plain(raw: Raw) -> None:
        await raw.read(5)
        await raw.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    one = await upstream(plain)
    with pytest.raises(TlsFailed):
        await ask(pool, one.origin._replace(scheme="https"))


async def test_upstream_that_does_not_finish_its_greeting_times_out(pool: Pool, upstream: Start) -> None:
    one = await upstream(says_nothing)
    with pytest.raises(ConnectTimeout):
        await ask(pool, one.origin._replace(scheme="https"), timeout_s=0.05)


# addresses


@pytest.mark.parametrize(
    ("address", "origin", "prefix"),
    [
        ("https://api.openai.com/v1", Origin("https", "api.openai.com", 443), "/v1"),
        ("http://127.0.0.1:8081/v1/", Origin("http", "127.0.0.1", 8081), "/v1"),
        ("http://[::1]:8081", Origin("http", "::1", 8081), ""),
        ("http://Local.Example", Origin("http", "local.example", 80), ""),
    ],
)
def test_base_url_gives_an_origin_and_a_prefix(address: str, origin: Origin, prefix: str) -> None:
    assert origin_of(address) == (origin, prefix)


@pytest.mark.parametrize("address", ["api.openai.com/v1", "ftp://a/b", "https://", "http://a:port/"])
def test_other_addresses_are_not_taken(address: str) -> None:
    with pytest.raises(ValueError, match=r"address|[Pp]ort"):
        origin_of(address)


def test_origin_reads_as_an_address() -> None:
    assert [str(Origin("http", host, 80)) for host in ("a", "::1")] == ["http://a:80", "http://[::1]:80"]
