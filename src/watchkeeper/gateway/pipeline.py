"""One call, in order: identify, attribute, read, route, attempt, judge, settle, record, answer."""

import logging
from array import array
from asyncio import AbstractEventLoop
from collections.abc import Callable
from dataclasses import dataclass

from msgspec import Struct

from watchkeeper.core.call import Attempt, Call, Surface
from watchkeeper.core.clock import Clock
from watchkeeper.core.ids import CallIds
from watchkeeper.gateway.admit import Admission
from watchkeeper.gateway.dialects.openai import Failure
from watchkeeper.gateway.judge import FALLS_BACK, Answer, judge, status_for_client
from watchkeeper.gateway.meters import Meters
from watchkeeper.gateway.plan import Plan, PreparedRoute, PreparedTarget
from watchkeeper.gateway.recorder import Recorder
from watchkeeper.gateway.refusals import Defect, NotReady, NotRecorded, Refusal
from watchkeeper.gateway.relay import Relay
from watchkeeper.gateway.reply import error_reply, fault_event, head_block
from watchkeeper.gateway.settle import settle
from watchkeeper.gateway.surfaces import openai as surface_openai
from watchkeeper.gateway.surfaces.openai import ChatView, View
from watchkeeper.gateway.watchdog import Watchdog
from watchkeeper.gateway.wire.client import Pool, WireFault
from watchkeeper.gateway.wire.runs import Signal
from watchkeeper.gateway.wire.server import Exchange
from watchkeeper.money.usage import from_openai

CONNECT_TIMEOUT_S = 5.0
RECORDED_BODY_BYTES_MAX = 8 * 1024 * 1024
"""Of each body; the full length is recorded beside it."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Parts:
    """What a pipeline is made of."""

    loop: AbstractEventLoop
    clock: Clock
    worker: str
    admission: Admission
    pool: Pool
    recorder: Recorder
    meters: Meters
    watchdog: Watchdog


class Passage(Struct, eq=False):
    """One call on its way through: the client's exchange, the record that is being written, and the latest attempt."""

    exchange: Exchange
    call: Call
    zero: float
    """When the request's first byte arrived; the call's times count from here."""
    view: View | None = None
    keeps_usage: bool = True
    target: PreparedTarget | None = None
    relay: Relay | None = None
    upstream_s: float = 0.0
    """Seconds spent waiting for upstreams, over all attempts."""


class Pipeline:
    """Serves calls under the present plan."""

    def __init__(self, parts: Parts, *, plan: Plan | None) -> None:
        self.plan = plan
        self._parts = parts
        self._now = parts.clock.monotonic
        self._unix_ns = parts.clock.unix_ns
        self._next_id = CallIds(parts.clock).next

    async def serve(self, exchange: Exchange, surface: Surface) -> None:
        """Answer one call and record it, whatever happens."""
        passage = self._begin(exchange, surface)
        try:
            route = self._admit(passage)
            outcome: Answer | Failure | None = None
            for target in route.targets:
                outcome = await self._attempt(passage, target)
                if not isinstance(outcome, Failure) or not _may_fall_back(passage, outcome):
                    break
            self._settle(passage, outcome)
            if self._parts.recorder.must_commit:
                await self._parts.recorder.commit(passage.call)
                self._answer(passage, outcome)
            else:
                self._answer(passage, outcome)
                self._parts.recorder.append(passage.call)
        except Refusal as refusal:
            await self._refuse(passage, refusal)
        except Exception:  # the boundary: a defect in one call must not take the worker with it
            _log.exception("call %s failed inside the gateway", passage.call.id)
            await self._refuse(
                passage, Defect("The gateway failed while serving this call; it is logged under its id.")
            )

    def _begin(self, exchange: Exchange, surface: Surface) -> Passage:
        request = exchange.request
        zero = request.first_byte_at
        call = Call(
            id=self._next_id(),
            started_ns=self._unix_ns() - int((self._now() - zero) * 1e9),
            worker=self._parts.worker,
            surface=surface,
            request_path=request.path,
            request_bytes=len(request.body),
        )
        return Passage(exchange, call, zero)

    def _admit(self, passage: Passage) -> PreparedRoute:
        """Identify and attribute the call, read its body, and find its route."""
        plan, call, request = self.plan, passage.call, passage.exchange.request
        if plan is None:
            raise NotReady("The gateway has no configuration yet. It is starting; try again in a few seconds.")
        call.snapshot = plan.snapshot.version
        admission = self._parts.admission
        entry = admission.identify(plan, request.headers)
        call.request_body = request.body[:RECORDED_BODY_BYTES_MAX]
        admission.attribute(call, entry, request.header_list)
        view = passage.view = _read(call.surface, request.body)
        call.requested_model = view.model
        if view.user:
            admission.attribute_user(call, view.user)
        if isinstance(view, ChatView) and view.stream:
            call.is_stream = True
            passage.keeps_usage = bool(view.stream_options and view.stream_options.include_usage)
        route = plan.resolve(view.model)
        call.route = route.name
        return route

    async def _attempt(self, passage: Passage, target: PreparedTarget) -> Answer | Failure | None:
        """Try one target; None means that the client left meanwhile."""
        parts, exchange = self._parts, passage.exchange
        if exchange.is_closed:
            return None
        head, body = _upstream_request(passage, target)
        started_at = self._now()
        relay = self._relay(passage, started_at)
        attempt = Attempt(
            number=len(passage.call.attempts) + 1,
            provider=target.provider,
            model=target.model,
            dialect=target.dialect,
            started_ms=(started_at - passage.zero) * 1000,
            request_bytes=len(body),
        )
        passage.call.attempts.append(attempt)
        passage.target, passage.relay = target, relay
        exchange.on_close, exchange.on_pause, exchange.on_resume = relay.cancel, relay.pause, relay.resume
        parts.watchdog.watch(relay)
        try:
            pool, origin = parts.pool, target.origin
            flight = pool.send_now(origin, head, body, relay, connect_timeout_s=CONNECT_TIMEOUT_S)
            if flight is None:
                flight = await pool.send(origin, head, body, relay, connect_timeout_s=CONNECT_TIMEOUT_S)
            relay.take_off(flight)
            await relay.ended
        except WireFault as fault:
            relay.on_fault(fault)
        finally:
            parts.watchdog.forget(relay)
            exchange.on_close = exchange.on_pause = exchange.on_resume = None
        return self._close_attempt(passage, attempt, relay)

    def _relay(self, passage: Passage, started_at: float) -> Relay:
        call = passage.call
        return Relay(
            ended=Signal(),
            exchange=passage.exchange,
            now=self._now,
            call_started_at=passage.zero,
            sent_at=started_at,
            heard_at=started_at,
            keeps_usage=passage.keeps_usage,
            record_limit=RECORDED_BODY_BYTES_MAX,
            begin_stream=self._stream_head(passage) if call.is_stream else None,
        )

    def _close_attempt(self, passage: Passage, attempt: Attempt, relay: Relay) -> Answer | Failure | None:
        zero = passage.zero
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
            return None
        outcome = judge(relay)
        if isinstance(outcome, Failure):
            attempt.error_class = outcome.error_class
            attempt.error_message = outcome.message
        return outcome

    def _settle(self, passage: Passage, outcome: Answer | Failure | None) -> None:
        """Write the last attempt's end into the call: reply, usage, money, status."""
        call, relay, target = passage.call, passage.relay, passage.target
        assert relay is not None and target is not None
        if isinstance(outcome, Answer):
            call.reported_model = outcome.model
            call.http_status = relay.status
            settle(call, target, relay, outcome.usage)
        else:
            call.reported_model = relay.model
            settle(call, target, relay, from_openai(relay.usage) if relay.usage else None)
            if outcome is None:
                call.status = "cancelled"
            else:
                _note_failure(call, outcome, status_for_client(outcome, relay.status))
        call.response_headers = relay.headers
        if b"set-cookie" in relay.fields:
            call.response_headers = [pair for pair in relay.headers if pair[0] != b"set-cookie"]
        call.response_bytes = relay.body_bytes
        call.response_body = _joined(relay.body)[:RECORDED_BODY_BYTES_MAX]
        if relay.is_streaming:
            self._settle_stream(passage, relay)
        self._stamp(passage)
        self._parts.meters.count(call)

    def _settle_stream(self, passage: Passage, relay: Relay) -> None:
        call = passage.call
        call.http_status = 200
        call.usage_raw = relay.usage
        call.chunk_offsets_us = array("I", relay.chunk_offsets_us).tobytes()
        call.delivered_bytes = relay.delivered_bytes
        if relay.first_sent_at:
            call.first_token_ms = (relay.first_sent_at - passage.zero) * 1000

    def _answer(self, passage: Passage, outcome: Answer | Failure | None) -> None:
        """Give the client its reply, or the end of its stream; a client that has left gets nothing."""
        call, exchange, relay = passage.call, passage.exchange, passage.relay
        assert relay is not None
        match outcome:
            case Answer() if relay.is_streaming:
                exchange.finish()
            case Answer():
                call.delivered_bytes = len(outcome.body)
                exchange.reply(relay.status, head_block(call, relay, call.overhead_ms), outcome.body)
            case Failure() if relay.is_streaming:
                exchange.write(fault_event(call, outcome))
                exchange.abort()
            case Failure():
                status, headers, body = error_reply(call, relay, outcome)
                call.delivered_bytes = len(body)
                exchange.reply(status, headers, body)
            case None:
                pass

    async def _refuse(self, passage: Passage, refusal: Refusal) -> None:
        """Answer with the gateway's own error; a stream that has begun can only be cut."""
        call, exchange, relay = passage.call, passage.exchange, passage.relay
        failure = Failure(refusal.error_class, refusal.code, str(refusal))
        _note_failure(call, failure, refusal.http_status)
        if not call.attempts:
            call.cost_nusd, call.cost_status = 0, "measured"
        self._stamp(passage)
        if relay is not None and relay.is_streaming:
            exchange.write(fault_event(call, failure))
            exchange.abort()
        else:
            status, headers, body = error_reply(call, None, failure, refusal=refusal)
            call.delivered_bytes = len(body)
            exchange.reply(status, headers, body)
        if isinstance(refusal, NotRecorded):
            return
        self._parts.meters.count(call)
        try:
            if self._parts.recorder.must_commit:
                await self._parts.recorder.commit(call)
            else:
                self._parts.recorder.append(call)
        except NotRecorded:
            _log.error("call %s was refused (%s) and could not be recorded", call.id, refusal.code)

    def _stamp(self, passage: Passage) -> None:
        """Write duration and overhead into the call."""
        call = passage.call
        spent_s = self._now() - passage.zero
        call.duration_ms = spent_s * 1000
        call.overhead_ms = (spent_s - passage.upstream_s) * 1000

    def _stream_head(self, passage: Passage) -> Callable[[Relay], None]:
        def begin(relay: Relay) -> None:
            in_gateway_ms = (relay.sent_at - passage.zero - passage.upstream_s) * 1000
            passage.exchange.start(200, head_block(passage.call, relay, in_gateway_ms))

        return begin


def _read(surface: Surface, body: bytes) -> View:
    match surface:
        case "chat":
            return surface_openai.read_chat(body)
        case "embeddings":
            return surface_openai.read_embeddings(body)


def _upstream_request(passage: Passage, target: PreparedTarget) -> tuple[bytes, bytes]:
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


def _may_fall_back(passage: Passage, failure: Failure) -> bool:
    relay = passage.relay
    return failure.error_class in FALLS_BACK and relay is not None and not relay.is_streaming


def _note_failure(call: Call, failure: Failure, status: int) -> None:
    call.status = "error"
    call.http_status = status
    call.error_class = failure.error_class
    call.error_code = failure.code or ""
    call.error_message = failure.message


def _joined(parts: list[bytes]) -> bytes:
    return parts[0] if len(parts) == 1 else b"".join(parts)
