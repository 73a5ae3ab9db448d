"""What a client sees of an answer, and what a handler learns of its client."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from tests.contract.wire.rig import Hand, Handle, Served, until

from watchkeeper.gateway.wire.server import Exchange, Server, ServerLimits

Serve = Callable[..., Awaitable[Served]]
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


async def stream(exchange: Exchange) -> None:
    exchange.start(200, b"content-type: text/event-stream\r\n")
    exchange.write(b"one")
    exchange.write(b"")
    await asyncio.sleep(0)
    exchange.write(b"two")
    exchange.finish(b"x-cost: 1\r\n")


async def test_reply_has_a_length_a_date_and_the_given_headers(serve: Serve) -> None:
    async def handle(exchange: Exchange) -> None:
        exchange.reply(529, b"x-a: 1\r\n", b"busy")

    client = await (await serve(handle)).connect()
    await client.send(GET)
    assert await client.read_until(b"\r\n") == b"HTTP/1.1 529 \r\n"
    answer = await client.read_until(b"busy")
    lines = answer.split(b"\r\n")
    assert lines[0] == b"x-a: 1"
    assert b"content-length: 4" in lines
    assert any(line.startswith(b"date: ") and line.endswith(b" GMT") for line in lines)


async def test_stream_is_sent_in_chunks_with_trailers_and_the_connection_is_kept(serve: Serve) -> None:
    served = await serve(stream)
    client = await served.connect()
    for _ in range(2):
        await client.send(GET)
        answer = await client.answer()
        assert (answer.status, answer.body, answer.trailers) == (200, b"onetwo", b"x-cost: 1\r\n")
    assert served.server.accepted == 1
    assert served.server.requests == 2


async def test_stream_to_http_1_0_is_sent_without_chunks_and_ends_with_the_connection(serve: Serve) -> None:
    client = await (await serve(stream)).connect()
    await client.send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    answer = await client.answer()
    assert b"transfer-encoding" not in answer.headers
    assert answer.headers[b"connection"] == b"close"
    assert answer.body == b"onetwo"


async def test_http_1_0_keeps_its_connection_only_when_it_asks_to(serve: Serve) -> None:
    client = await (await serve()).connect()
    await client.send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    assert (await client.answer()).headers[b"connection"] == b"keep-alive"
    await client.send(b"GET / HTTP/1.0\r\n\r\n")
    assert (await client.answer()).headers[b"connection"] == b"close"
    assert await client.rest() == b""


async def test_old_proxy_keep_alive_does_not_make_http_1_0_into_1_1(serve: Serve) -> None:
    client = await (await serve(stream)).connect()
    await client.send(b"GET / HTTP/1.0\r\nHost: a\r\nProxy-Connection: keep-alive\r\n\r\n")
    answer = await client.answer()
    assert answer.status == 200
    assert b"transfer-encoding" not in answer.headers


@pytest.mark.parametrize("handle", [None, stream], ids=["reply", "stream"])
async def test_head_gets_the_head_and_no_body(serve: Serve, handle: Handle | None) -> None:
    served = await (serve(handle) if handle else serve())
    client = await served.connect()
    await client.send(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n" + GET)
    assert (await client.answer(to_head=True)).status == 200
    assert (await client.answer()).status == 200


@pytest.mark.parametrize("status", [204, 304])
async def test_bodiless_statuses_carry_no_body_and_no_length(serve: Serve, status: int) -> None:
    async def handle(exchange: Exchange) -> None:
        exchange.reply(status, b"", b"never sent")

    client = await (await serve(handle)).connect()
    await client.send(GET * 2)
    for _ in range(2):
        answer = await client.answer()
        assert answer.status == status
        assert b"content-length" not in answer.headers


async def test_pipelined_requests_are_answered_one_at_a_time_in_order(serve: Serve) -> None:
    running: list[str] = []
    most: list[int] = []

    async def handle(exchange: Exchange) -> None:
        running.append(exchange.request.path)
        most.append(len(running))
        await asyncio.sleep(0.001)
        running.remove(exchange.request.path)
        exchange.reply(200, b"", exchange.request.path.encode())

    client = await (await serve(handle)).connect()
    await client.send(b"".join(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % n for n in range(40)))
    await client.send(b"POST /last HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\na")
    assert [(await client.answer()).body for _ in range(40)] == [b"/%d" % n for n in range(40)]
    await client.send(b"b")
    assert (await client.answer()).body == b"/last"
    assert max(most) == 1


async def test_thousands_of_pipelined_requests_are_answered_and_few_are_held(serve: Serve) -> None:
    gate = asyncio.Event()

    async def handle(exchange: Exchange) -> None:
        await gate.wait()
        exchange.reply(200, b"", b"")

    served = await serve(handle)
    client = await served.connect()
    many = 40_000
    sending = asyncio.ensure_future(client.send(GET * many))
    await until(lambda: served.server.requests == 1)
    await asyncio.sleep(0.1)
    assert served.server.buffered_bytes < 600_000  # of 1,040,000 sent: the rest is still in the network
    gate.set()
    for _ in range(many):
        await client.read_until(b"\r\n\r\n")
    await sending
    assert (served.server.requests, served.server.buffered_bytes) == (many, 0)


async def test_bad_request_behind_good_ones_is_refused_after_their_answers(serve: Serve) -> None:
    client = await (await serve()).connect()
    await client.send(GET + GET + b"GET / HTTP/1.1\r\nno colon\r\n\r\n")
    assert [(await client.answer()).status for _ in range(3)] == [200, 200, 400]
    assert await client.rest() == b""


async def test_go_ahead_is_given_when_the_client_waits_for_it(serve: Serve) -> None:
    client = await (await serve()).connect()
    await client.send(b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
    assert (await client.answer()).status == 100
    await client.send(b"abc")
    assert (await client.answer()).body == b"abc"


async def test_go_ahead_waits_for_its_turn(serve: Serve) -> None:
    gate = asyncio.Event()

    async def handle(exchange: Exchange) -> None:
        await gate.wait()
        exchange.reply(200, b"", exchange.request.body)

    client = await (await serve(handle)).connect()
    await client.send(GET + b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
    gate.set()
    assert [(await client.answer()).status for _ in range(2)] == [200, 100]
    await client.send(b"abc")
    assert (await client.answer()).body == b"abc"


async def test_too_long_a_body_is_refused_instead_of_a_go_ahead(serve: Serve) -> None:
    served = await serve(limits=ServerLimits(body_bytes_max=10))
    answer = await served.ask(b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 11\r\n\r\n")
    assert answer.status == 413


@pytest.mark.parametrize("leave", ["close", "half_close", "reset"])
async def test_handler_learns_once_that_its_client_has_gone(serve: Serve, leave: str) -> None:
    told: list[str] = []
    exchanges: list[Exchange] = []
    gone = asyncio.Event()

    def note() -> None:
        told.append("gone")
        gone.set()

    async def handle(exchange: Exchange) -> None:
        exchanges.append(exchange)
        exchange.on_close = note
        await gone.wait()
        exchange.start(200, b"")
        exchange.write(b"nobody")
        exchange.finish()

    served = await serve(handle)
    client = await served.connect()
    await client.send(GET)
    await until(lambda: bool(exchanges))
    assert not exchanges[0].is_closed
    getattr(client, leave)()
    await until(lambda: exchanges[0].is_closed and served.server.open_connections == 0)
    assert told == ["gone"]


async def test_handler_learns_in_the_middle_of_a_stream_that_its_client_has_gone(serve: Serve) -> None:
    gone = asyncio.Event()

    async def handle(exchange: Exchange) -> None:
        exchange.on_close = gone.set
        exchange.start(200, b"")
        while not gone.is_set():
            exchange.write(b"tick")
            await asyncio.sleep(0.002)

    client = await (await serve(handle)).connect()
    await client.send(GET)
    await client.read_until(b"tick")
    client.close()
    await asyncio.wait_for(gone.wait(), 5)


async def test_on_close_is_not_called_after_the_answer(serve: Serve) -> None:
    told: list[str] = []

    async def handle(exchange: Exchange) -> None:
        exchange.on_close = lambda: told.append("gone")
        exchange.reply(200, b"", b"")

    served = await serve(handle)
    await served.ask(GET)
    await until(lambda: served.server.open_connections == 0)
    assert told == []


@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
async def test_aborted_stream_never_looks_complete(serve: Serve, version: bytes) -> None:
    async def handle(exchange: Exchange) -> None:
        exchange.start(200, b"")
        exchange.write(b"half")
        await asyncio.sleep(0.02)
        exchange.abort()
        exchange.write(b"ignored")

    client = await (await serve(handle)).connect()
    await client.send(b"GET / HTTP/%b\r\nHost: a\r\n\r\n" % version)
    await client.read_until(b"half")
    with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
        await client.read_until(b"0\r\n\r\n" if version == b"1.1" else b"never")
    if version == b"1.0":
        with pytest.raises(ConnectionResetError):
            await client.rest()


async def test_what_was_written_right_before_an_abort_still_arrives(serve: Serve) -> None:
    async def handle(exchange: Exchange) -> None:
        exchange.start(200, b"")
        exchange.write(b"the last word")
        exchange.abort()

    client = await (await serve(handle)).connect()
    await client.send(GET)
    assert (await client.rest()).endswith(b"d\r\nthe last word\r\n")


async def test_failed_handler_gives_an_error_and_the_connection_goes_on(serve: Serve) -> None:
    async def handle(exchange: Exchange) -> None:
        if exchange.request.path == "/bad":
            raise ZeroDivisionError
        exchange.reply(200, b"", b"")

    client = await (await serve(handle)).connect()
    await client.send(b"GET /bad HTTP/1.1\r\nHost: a\r\n\r\n" + GET)
    answer = await client.answer()
    assert (answer.status, answer.json["error"]["code"]) == (500, "internal")
    assert (await client.answer()).status == 200


async def test_handler_that_fails_within_a_stream_cuts_it(serve: Serve) -> None:
    async def handle(exchange: Exchange) -> None:
        exchange.start(200, b"")
        exchange.write(b"half")
        raise ZeroDivisionError

    client = await (await serve(handle)).connect()
    await client.send(GET)
    assert not (await client.rest()).endswith(b"0\r\n\r\n")


async def test_handler_that_answers_nothing_gives_an_error(serve: Serve) -> None:
    async def handle(exchange: Exchange) -> None:
        pass

    assert (await (await serve(handle)).ask(GET)).status == 500


async def test_second_answer_to_one_request_is_a_defect(serve: Serve) -> None:
    raised: list[str] = []

    async def handle(exchange: Exchange) -> None:
        with pytest.raises(RuntimeError):
            exchange.write(b"before the start")
        exchange.start(200, b"")
        with pytest.raises(RuntimeError):
            exchange.reply(200, b"", b"")
        exchange.finish()
        with pytest.raises(RuntimeError):
            exchange.reply(200, b"", b"")
        with pytest.raises(RuntimeError):
            exchange.write(b"x")
        with pytest.raises(RuntimeError):
            exchange.finish()
        raised.append("all")

    client = await (await serve(handle)).connect()
    await client.send(GET)
    assert (await client.answer()).body == b""
    await until(lambda: bool(raised))


async def test_times_of_a_request_are_those_of_its_first_and_last_byte(serve: Serve, hand: Hand) -> None:
    times: list[float] = []

    async def handle(exchange: Exchange) -> None:
        times.append(exchange.request.body_at - exchange.request.first_byte_at)
        exchange.reply(200, b"", b"")

    served = await serve(handle)
    client = await served.connect()
    await client.send(b"POST / HT")
    await until(lambda: served.server.accepted == 1)
    await asyncio.sleep(0.02)
    await client.send(b"TP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n")
    await asyncio.sleep(0.02)
    hand.move(5)
    await client.send(b"ab")
    await client.answer()
    assert 5 < times[0] < 6


async def test_peer_is_the_address_of_the_client(serve: Serve) -> None:
    async def handle(exchange: Exchange) -> None:
        exchange.reply(200, b"", exchange.peer.encode())

    assert (await (await serve(handle)).ask(GET)).body == b"127.0.0.1"


async def test_taken_port_is_an_error(serve: Serve) -> None:
    served = await serve()
    other = Server(stream, ServerLimits(), loop=asyncio.get_running_loop())
    with pytest.raises(OSError, match="in use"):
        await other.start("127.0.0.1", served.port)


async def test_two_servers_share_a_port_when_told_to() -> None:
    loop = asyncio.get_running_loop()
    servers = [Server(stream, ServerLimits(), loop=loop) for _ in range(2)]
    port = await servers[0].start("127.0.0.1", 0, reuse_port=True)
    assert await servers[1].start("127.0.0.1", port, reuse_port=True) == port
    for server in servers:
        await server.drained(0)
