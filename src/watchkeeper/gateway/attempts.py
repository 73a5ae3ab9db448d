"""One attempt: the request as one target wants it, its way there and back, what it amounted to and what it cost."""

from asyncio import CancelledError
from collections.abc import Callable

from watchkeeper.core.call import Attempt
from watchkeeper.core.clock import Clock
from watchkeeper.gateway.dialects.openai.replies import Failure
from watchkeeper.gateway.judge import Answer, judge
from watchkeeper.gateway.passage import RECORDED_BODY_BYTES_MAX, Passage
from watchkeeper.gateway.plan import PreparedTarget
from watchkeeper.gateway.relay import Relay
from watchkeeper.gateway.reply import head_block
from watchkeeper.gateway.settle import settle
from watchkeeper.gateway.surfaces import openai as surface_openai
from watchkeeper.gateway.watchdog import Watchdog
from watchkeeper.gateway.wire.client import Pool, WireFault
from watchkeeper.gateway.wire.runs import Signal
from watchkeeper.money.usage import from_openai

CONNECT_TIMEOUT_S = 5.0


class Attempts:
    """Makes attempts."""

    def __init__(self, clock: Clock, pool: Pool, watchdog: Watchdog) -> None:
        self._now = clock.monotonic
        self._pool = pool
        self._watchdog = watchdog

    async def make(self, passage: Passage, target: PreparedTarget) -> Answer | Failure | None:
        """Try one target; None means that the client left meanwhile."""
        exchange = passage.exchange
        if exchange.is_closed:
            return None
        head, body = _request(passage, target)
        relay = passage.relay = self._relay(passage)
        attempt = Attempt(
            number=len(passage.call.attempts) + 1,
            provider=target.provider,
            model=target.model,
            dialect=target.dialect,
            started_ms=(relay.sent_at - passage.zero) * 1000,
            request_bytes=len(body),
        )
        passage.call.attempts.append(attempt)
        exchange.on_close, exchange.on_pause, exchange.on_resume = relay.cancel, relay.pause, relay.resume
        self._watchdog.watch(relay)
        try:
            await self._send(target, head, body, relay)
            await relay.ended
        except WireFault as fault:
            relay.on_fault(fault)
        except CancelledError:
            relay.cancel()
            self._close(passage, attempt, target, body)
            raise
        finally:
            self._watchdog.forget(relay)
            exchange.on_close = exchange.on_pause = exchange.on_resume = None
        return self._close(passage, attempt, target, body)

    async def _send(self, target: PreparedTarget, head: bytes, body: bytes, relay: Relay) -> None:
        pool, origin = self._pool, target.origin
        flight = pool.send_now(origin, head, body, relay, connect_timeout_s=CONNECT_TIMEOUT_S)
        if flight is None:
            relay.departure = pool.send(origin, head, body, relay, connect_timeout_s=CONNECT_TIMEOUT_S)
            try:
                flight = await relay.departure
            except CancelledError:
                if relay.ended.is_set:  # the client has left
                    return
                raise
        relay.take_off(flight)

    def _relay(self, passage: Passage) -> Relay:
        now = self._now()
        return Relay(
            ended=Signal(),
            exchange=passage.exchange,
            now=self._now,
            call_started_at=passage.zero,
            sent_at=now,
            heard_at=now,
            keeps_usage=passage.keeps_usage,
            record_limit=RECORDED_BODY_BYTES_MAX,
            begin_stream=_stream_head(passage) if passage.call.is_stream else None,
        )

    def _close(
        self, passage: Passage, attempt: Attempt, target: PreparedTarget, body: bytes
    ) -> Answer | Failure | None:
        """Write what is known of the attempt now that it has ended, and book what it used."""
        zero, relay = passage.zero, passage.relay
        assert relay is not None
        ended_at = self._now()
        passage.upstream_s += ended_at - relay.sent_at
        attempt.ended_ms = (ended_at - zero) * 1000
        attempt.http_status = relay.status
        attempt.response_bytes = relay.body_bytes
        if relay.first_byte_at:
            attempt.first_byte_ms = (relay.first_byte_at - zero) * 1000
            attempt.upstream_request_id = relay.fields.get(b"x-request-id", b"").decode("latin-1")
        if relay.flight is not None:
            attempt.connect_ms = relay.flight.connect_ms
        relay.let_go()
        if relay.end == "cancelled":
            usage = from_openai(relay.usage) if relay.usage else None
            settle(attempt, target, relay, usage, sent=body, at_ns=passage.call.started_ns)
            return None
        outcome = judge(relay)
        if isinstance(outcome, Failure):
            attempt.error_class = outcome.error_class
            attempt.error_message = outcome.message
        settle(attempt, target, relay, outcome.usage, sent=body, at_ns=passage.call.started_ns)
        return outcome


def _stream_head(passage: Passage) -> Callable[[Relay], None]:
    def begin(relay: Relay) -> None:
        in_gateway_ms = (relay.sent_at - passage.zero - passage.upstream_s) * 1000
        passage.exchange.start(200, head_block(passage.call, relay, in_gateway_ms))

    return begin


def _request(passage: Passage, target: PreparedTarget) -> tuple[bytes, bytes]:
    """Write head and body for one target: the client's bytes wherever nothing must change."""
    call, view = passage.call, passage.view
    assert view is not None
    body = passage.exchange.request.body
    changes: dict[str, bytes] = {}
    if view.model != target.model:
        changes["model"] = target.model_json
    if call.is_stream and not passage.keeps_usage:
        changes["stream_options"] = surface_openai.with_usage(body)
    if changes:
        body = surface_openai.patch(body, changes)
        call.sent_body = body[:RECORDED_BODY_BYTES_MAX]
    else:
        call.sent_body = None
    accept = b"text/event-stream" if call.is_stream else b"application/json"
    head = b"%baccept: %b\r\nx-request-id: %b\r\ncontent-length: %d\r\n\r\n"
    return head % (target.heads[call.surface], accept, call.id.encode(), len(body)), body
