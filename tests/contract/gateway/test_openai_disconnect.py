"""A client that goes away: the upstream is let go at once, and what was relayed is recorded and priced."""

import asyncio
import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from tests.contract.gateway.data_plane import Gateway

from watchkeeper.core.usage import Usage
from watchkeeper.testing import Delivery, Reply, Silence, Stall, Upstream, eventually
from watchkeeper.testing.asked import Asked
from watchkeeper.testing.steps import Hang, Send, Step, chunk, head

ASKED: dict[str, Any] = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "one two three"}]}
STREAMED = {**ASKED, "stream": True}
WITHIN_S = 1.0


@pytest.fixture
def headers(gateway: Gateway) -> dict[str, str]:
    return {"authorization": f"Bearer {gateway.key}"}


async def left_after(upstream: Upstream, left_at: float) -> float:
    """Wait until the upstream has seen its client go; return how long after the given time that was."""
    await eventually(lambda: upstream.received and upstream.received[0].ended_at)
    received = upstream.received[0]
    assert received.outcome == "client_left"
    assert received.ended_at is not None
    return received.ended_at - left_at


async def test_a_stream_left_in_the_middle_is_cancelled_and_charged_for_what_was_relayed(
    gateway: Gateway, upstream: Upstream, headers: dict[str, str]
) -> None:
    upstream.plays(Reply("one two three four five " * 100, delivery=Delivery(pace_s=0.02)))
    async with httpx.AsyncClient(base_url=gateway.base_url, headers=headers) as http:
        async with http.stream("POST", "/chat/completions", json=STREAMED) as reply:
            received = b""
            async for part in reply.aiter_raw():
                received += part
                if b" three" in received:
                    break
        left_at = time.monotonic()
    assert await left_after(upstream, left_at) < WITHIN_S
    call = gateway.call(reply.headers["x-wk-call-id"])
    assert (call.status, call.error_class, call.http_status) == ("cancelled", "", 200)
    assert (call.usage_status, call.cost_status) == ("estimated", "estimated")
    assert call.usage is not None
    assert call.usage.output_text >= 4
    assert call.response_body.startswith(received[:-1])
    assert call.delivered_bytes >= len(received)


@pytest.mark.parametrize("asked", [ASKED, STREAMED], ids=["plain", "stream"])
async def test_a_call_left_before_its_first_byte_is_cancelled(
    gateway: Gateway, upstream: Upstream, headers: dict[str, str], asked: dict[str, Any]
) -> None:
    upstream.plays(Silence())
    async with httpx.AsyncClient(base_url=gateway.base_url, headers=headers, timeout=0.2) as http:
        with pytest.raises(httpx.ReadTimeout):
            await http.post("/chat/completions", json=asked)
        left_at = time.monotonic()
    assert await left_after(upstream, left_at) < WITHIN_S
    call = await asyncio.to_thread(gateway.last_call)
    assert (call.status, call.http_status, call.usage_status) == ("cancelled", 0, "estimated")
    assert call.cost_nusd == 4 * 150


async def test_a_plain_reply_left_in_the_middle_is_cancelled(
    gateway: Gateway, upstream: Upstream, headers: dict[str, str]
) -> None:
    upstream.plays(Stall(after_tokens=1))
    async with httpx.AsyncClient(base_url=gateway.base_url, headers=headers, timeout=0.2) as http:
        with pytest.raises(httpx.ReadTimeout):
            await http.post("/chat/completions", json=ASKED)
        left_at = time.monotonic()
    assert await left_after(upstream, left_at) < WITHIN_S
    assert (await asyncio.to_thread(gateway.last_call)).status == "cancelled"


async def test_a_call_that_is_left_does_not_go_to_the_next_target(
    gateway: Gateway, upstream: Upstream, spare: Upstream, headers: dict[str, str]
) -> None:
    upstream.plays(Silence())
    async with httpx.AsyncClient(base_url=gateway.base_url, headers=headers, timeout=0.2) as http:
        with pytest.raises(httpx.ReadTimeout):
            await http.post("/chat/completions", json={**ASKED, "model": "backed-up"})
    call = await asyncio.to_thread(gateway.last_call)
    assert len(call.attempts) == 1
    assert not spare.received


async def test_a_hundred_clients_that_leave_at_once_are_all_recorded(
    gateway: Gateway, upstream: Upstream, headers: dict[str, str]
) -> None:
    upstream.always(Stall(after_tokens=2))

    async def ask_and_leave(http: httpx.AsyncClient) -> None:
        async with http.stream("POST", "/chat/completions", json=STREAMED) as reply:
            async for _ in reply.aiter_raw():
                break

    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=gateway.base_url, headers=headers, limits=limits) as http:
        await asyncio.gather(*(ask_and_leave(http) for _ in range(100)))
    await eventually(lambda: len(gateway.recorder.calls) == 100)
    assert {call.status for call in gateway.recorder.calls} == {"cancelled"}
    await eventually(lambda: all(received.outcome == "client_left" for received in upstream.received))


async def test_a_client_that_reads_slowly_holds_the_upstream_back(
    gateway: Gateway, upstream: Upstream, headers: dict[str, str]
) -> None:
    upstream.plays(Reply(" ".join(["x" * 65_536] * 600)))  # 38 MB, far more than sockets and buffers hold
    async with (
        httpx.AsyncClient(base_url=gateway.base_url, headers=headers, timeout=30) as http,
        http.stream("POST", "/chat/completions", json=STREAMED) as reply,
    ):
        parts = reply.aiter_raw()
        received = len(await anext(parts))
        await asyncio.sleep(0.5)
        assert upstream.received[0].outcome == "answering"
        async for part in parts:
            received += len(part)
    assert received > 600 * 65_536
    assert gateway.call(reply.headers["x-wk-call-id"]).status == "ok"


async def test_a_call_left_while_its_connection_is_opened_costs_nothing(
    gateway: Gateway, headers: dict[str, str]
) -> None:
    async with httpx.AsyncClient(base_url=gateway.base_url, headers=headers, timeout=0.2) as http:
        with pytest.raises(httpx.ReadTimeout):
            await http.post("/chat/completions", json={**ASKED, "model": "mute/gpt-4o-mini"})
        left_at = time.monotonic()
    call = await asyncio.to_thread(gateway.last_call)
    assert time.monotonic() - left_at < WITHIN_S
    assert (call.status, call.usage, call.cost_nusd, call.cost_status) == ("cancelled", None, 0, "measured")


async def test_a_client_that_leaves_behind_the_beginning_of_its_next_request_is_seen_to_leave(
    gateway: Gateway, upstream: Upstream, headers: dict[str, str]
) -> None:
    upstream.plays(Silence())
    body = json.dumps(ASKED).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n"
    fields = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(f"{head}{fields}\r\n".encode() + body)
    await eventually(lambda: upstream.received)
    writer.write(b"G")
    await asyncio.sleep(0.1)
    writer.close()
    assert await left_after(upstream, time.monotonic()) < WITHIN_S
    assert (await asyncio.to_thread(gateway.last_call)).status == "cancelled"


async def test_a_client_that_leaves_at_done_has_had_its_whole_stream(
    gateway: Gateway, upstream: Upstream, headers: dict[str, str]
) -> None:
    """Official clients close as soon as they have read [DONE], which may be before the upstream ends its body."""
    upstream.plays(_SaysDoneAndLingers())
    async with (
        httpx.AsyncClient(base_url=gateway.base_url, headers=headers) as http,
        http.stream("POST", "/chat/completions", json=STREAMED) as reply,
    ):
        async for part in reply.aiter_raw():
            if b"[DONE]" in part:
                break
    call = await asyncio.to_thread(gateway.call, reply.headers["x-wk-call-id"])
    assert (call.status, call.error_class, call.usage_status) == ("ok", "", "measured")
    assert call.usage == Usage(input_uncached=3, output_text=1)


class _SaysDoneAndLingers:
    """A whole stream, but for the end of its body."""

    def steps(self, _asked: Asked, /) -> Iterator[Step]:
        yield Send(head(200, [("content-type", "text/event-stream"), ("transfer-encoding", "chunked")]))
        choice = {"index": 0, "delta": {"content": "hi"}, "finish_reason": "stop"}
        counted = {"prompt_tokens": 3, "completion_tokens": 1}
        for said in ({"choices": [choice]}, {"choices": [], "usage": counted}):
            yield Send(chunk(b"data: %b\n\n" % json.dumps(said).encode()))
        yield Send(chunk(b"data: [DONE]\n\n"))
        yield Hang()
