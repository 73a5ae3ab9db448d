"""One attempt: its way to a target and back, what it amounted to and what it cost."""

from asyncio import CancelledError

from watchkeeper.core.call import Attempt
from watchkeeper.core.clock import Clock
from watchkeeper.gateway.faults import Injector, Instead
from watchkeeper.gateway.judge import judge
from watchkeeper.gateway.outcome import Answer, Failure
from watchkeeper.gateway.passage import RECORDED_BODY_BYTES_MAX, Passage
from watchkeeper.gateway.plan import PreparedTarget
from watchkeeper.gateway.ratios import Ratios
from watchkeeper.gateway.relay import Relay
from watchkeeper.gateway.reply import head_block
from watchkeeper.gateway.settle import settle
from watchkeeper.gateway.snapshot import Timeouts
from watchkeeper.gateway.streams import TranslatedStream
from watchkeeper.gateway.watchdog import Watchdog
from watchkeeper.gateway.ways import Way
from watchkeeper.gateway.wire.client import Pool, Sink, WireFault
from watchkeeper.gateway.wire.runs import Signal

_DEFAULT = Timeouts()


class Attempts:
    """Makes attempts."""

    def __init__(self, clock: Clock, pool: Pool, watchdog: Watchdog, injector: Injector, ratios: Ratios) -> None:
        self._now = clock.monotonic
        self._pool = pool
        self._watchdog = watchdog
        self._injector = injector
        self._ratios = ratios

    async def make(self, passage: Passage, target: PreparedTarget, way: Way) -> Answer | Failure | None:
        """Try one target; None means that the client left meanwhile."""
        exchange, call = passage.exchange, passage.call
        if exchange.is_closed:
            return None
        route = passage.route
        timeouts = route.timeouts if route is not None else _DEFAULT
        head = _head(passage, target, way)
        if passage.relay is not None and passage.is_committed:
            passage.delivered_before += passage.relay.delivered_bytes
            passage.first_sent_at = passage.first_sent_at or passage.relay.first_sent_at
        relay = passage.relay = self._relay(passage, way, timeouts)
        attempt = Attempt(
            number=len(call.attempts) + 1,
            provider=target.provider,
            model=target.model,
            dialect=target.dialect.name,
            started_ms=(relay.sent_at - passage.zero) * 1000,
            request_bytes=len(way.body),
            kind=passage.next_kind,
            waited_ms=passage.waited_s * 1000,
        )
        passage.waited_s = 0.0
        call.attempts.append(attempt)
        call.sent_body = None if way.body is call.request_body else way.body[:RECORDED_BODY_BYTES_MAX]
        sink = relay if route is None or not route.faults else self._injector.sink(passage, attempt, relay)
        exchange.on_close, exchange.on_pause, exchange.on_resume = relay.cancel, relay.pause, relay.resume
        self._watchdog.watch(relay)
        target.health.calls_under_way += 1
        try:
            if not isinstance(sink, Instead):
                await self._send(target, head, way.body, relay, sink, timeouts.connect_s)
            await relay.ended
        except WireFault as fault:
            relay.on_fault(fault)
        except CancelledError:
            relay.cancel()
            self._close(passage, attempt, target, way)
            raise
        finally:
            target.health.calls_under_way -= 1
            self._watchdog.forget(relay)
            exchange.on_close = exchange.on_pause = exchange.on_resume = None
        return self._close(passage, attempt, target, way)

    async def _send(
        self, target: PreparedTarget, head: bytes, body: bytes, relay: Relay, sink: Sink, connect_s: float
    ) -> None:
        pool, origin = self._pool, target.origin
        flight = pool.send_now(origin, head, body, sink, connect_timeout_s=connect_s)
        if flight is None:
            connect_s = max(0.001, min(connect_s, relay.ends_by - self._now()))
            relay.departure = pool.send(origin, head, body, sink, connect_timeout_s=connect_s)
            try:
                flight = await relay.departure
            except CancelledError:
                if relay.ended.is_set:  # the client has left, or the time is up
                    return
                raise
        relay.take_off(flight)

    def _relay(self, passage: Passage, way: Way, timeouts: Timeouts) -> Relay:
        now = self._now()
        return Relay(
            ended=Signal(),
            exchange=passage.exchange,
            now=self._now,
            call_started_at=passage.zero,
            sent_at=now,
            heard_at=now,
            record_limit=RECORDED_BODY_BYTES_MAX,
            reader=way.reader,
            begin=_Beginning(passage),
            commits_late=passage.holds_back or (passage.route is not None and passage.route.commit == "complete"),
            is_committed=passage.is_committed,
            timeouts=timeouts,
            ends_by=passage.ends_by,
            sent_bytes_kept=[] if passage.cache_key and not passage.is_committed else None,
        )

    def _close(self, passage: Passage, attempt: Attempt, target: PreparedTarget, way: Way) -> Answer | Failure | None:
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
            attempt.upstream_request_id = _request_id(relay)
        if relay.first_token_at:
            attempt.first_token_ms = (relay.first_token_at - zero) * 1000
        if relay.flight is not None:
            attempt.connect_ms = relay.flight.connect_ms
        if way.reader is not None:
            passage.call.skipped_events += way.reader.skipped
        relay.let_go()
        if way.reader is not None:
            attempt.service_tier = way.reader.service_tier
        if relay.end == "cancelled":
            usage = way.reader.usage if way.reader is not None and relay.is_stream else None
            settle(attempt, target, passage, usage, sent=way.body, ratios=self._ratios)
            return None
        outcome = judge(relay, way.read)
        if isinstance(outcome, Answer):
            attempt.service_tier = outcome.service_tier
            if outcome.usage is not None:
                self._ratios.learn(target.name, way.body, relay, outcome.usage)
        else:
            attempt.error_class = outcome.error_class
            attempt.error_code = outcome.code or ""
            attempt.error_message = outcome.message
        settle(attempt, target, passage, outcome.usage, sent=way.body, ratios=self._ratios)
        return outcome


class _Beginning:
    """Sends the head of a stream's response."""

    __slots__ = ("_passage",)

    def __init__(self, passage: Passage) -> None:
        self._passage = passage

    def __call__(self, relay: Relay) -> None:
        passage = self._passage
        passage.is_committed = True
        in_gateway_ms = (relay.sent_at - passage.zero - passage.upstream_s) * 1000
        content_type = b"text/event-stream" if isinstance(relay.reader, TranslatedStream) else relay.content_type
        passage.exchange.start(200, head_block(passage, in_gateway_ms, content_type=content_type))


def _request_id(relay: Relay) -> str:
    fields = relay.fields
    return (fields.get(b"x-request-id") or fields.get(b"request-id") or b"").decode("latin-1")


def _head(passage: Passage, target: PreparedTarget, way: Way) -> bytes:
    """Write a request's head: what all of them share, what the client may say of its dialect, and what is its own."""
    call = passage.call
    if way.said is not None:
        length = b"content-length: %d\r\n" % len(way.body) if way.body else b""
        return b"%b%bx-request-id: %b\r\n%b\r\n" % (way.head, way.said, call.id.encode(), length)
    accept = b"application/json" if way.reader is None else b"text/event-stream"
    dialect, given = target.dialect, passage.exchange.request.headers
    said = b""
    if dialect.headers or not dialect.forwarded.isdisjoint(given):
        own = {name: given[name] for name in dialect.forwarded if name in given} if way.is_native else {}
        said = b"".join([b"%b: %b\r\n" % line for line in {**dialect.headers, **own}.items()])
    head = b"%b%baccept: %b\r\nx-request-id: %b\r\ncontent-length: %d\r\n\r\n"
    return head % (way.head, said, accept, call.id.encode(), len(way.body))
