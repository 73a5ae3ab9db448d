"""One call, in order: identify, attribute, read, route, attempt, judge, settle, record, answer."""

import logging
from asyncio import AbstractEventLoop
from collections.abc import Callable
from dataclasses import dataclass

from watchkeeper.core.call import Attempt, Call, Surface
from watchkeeper.core.clock import Clock
from watchkeeper.core.ids import CallIds
from watchkeeper.gateway.admit import CREDENTIAL_HEADERS, Admission
from watchkeeper.gateway.dialects.openai import Failure
from watchkeeper.gateway.judge import FALLS_BACK, Answer, judge, status_for_client
from watchkeeper.gateway.meters import Meters
from watchkeeper.gateway.plan import Plan, PreparedTarget
from watchkeeper.gateway.recorder import Recorder
from watchkeeper.gateway.refusals import Defect, NotReady, NotRecorded, Refusal
from watchkeeper.gateway.relay import Relay
from watchkeeper.gateway.reply import error_reply, fault_event, head_block
from watchkeeper.gateway.settle import settle
from watchkeeper.gateway.surfaces import openai as surface_openai
from watchkeeper.gateway.surfaces.openai import ChatView, View
from watchkeeper.gateway.watchdog import Watchdog
from watchkeeper.gateway.wire.client import Pool, WireFault
from watchkeeper.gateway.wire.server import Exchange, Request

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


class Passage:
    """One call on its way through: the client's exchange, the record that is being written, and the latest attempt."""

    __slots__ = ("call", "exchange", "keeps_usage", "relay", "target", "upstream_s", "view")

    def __init__(self, exchange: Exchange, call: Call) -> None:
        self.exchange = exchange
        self.call = call
        self.view: View | None = None
        self.keeps_usage = True
        self.target: PreparedTarget | None = None
        self.relay: Relay | None = None
        self.upstream_s = 0.0
        """Seconds spent waiting for upstreams, over all attempts."""


class Pipeline:
    """Serves calls under the present plan."""

    def __init__(self, parts: Parts, *, plan: Plan | None) -> None:
        self.plan = plan
        self._parts = parts
        self._now = parts.loop.time
        self._next_id = CallIds(parts.clock).next

    async def serve(self, exchange: Exchange, surface: Surface) -> None:
        """Answer one call and record it, whatever happens."""
        passage = Passage(exchange, self._begin(exchange.request, surface))
        try:
            await self._answer(passage)
        except Refusal as refusal:
            await self._refuse(passage, refusal)
        except Exception:  # the boundary: a defect in one call must not take the worker with it
            _log.exception("call %s failed inside the gateway", passage.call.id)
            await self._refuse(
                passage, Defect("The gateway failed while serving this call; it is logged under its id.")
            )

    def _begin(self, request: Request, surface: Surface) -> Call:
        now_ns = self._parts.clock.unix_ns()
        return Call(
            id=self._next_id(),
            started_ns=now_ns - int((self._now() - request.first_byte_at) * 1e9),
            worker=self._parts.worker,
            surface=surface,
            request_path=request.path,
            request_bytes=len(request.body),
        )

    async def _answer(self, passage: Passage) -> None:
        plan, call, request = self.plan, passage.call, passage.exchange.request
        if plan is None:
            raise NotReady("The gateway has no configuration yet. It is starting; try again in a few seconds.")
        call.snapshot = plan.snapshot.version
        admission = self._parts.admission
        entry = admission.identify(plan, request.headers)
        call.request_headers = _recorded(request.header_list)
        call.request_body = request.body[:RECORDED_BODY_BYTES_MAX]
        call.user_agent = request.headers.get(b"user-agent", b"").decode("latin-1")
        admission.attribute(call, entry, request.header_list)
        view = passage.view = _read(call.surface, request.body)
        call.requested_model = view.model
        admission.attribute_user(call, view.user)
        if isinstance(view, ChatView) and view.stream:
            call.is_stream = True
            passage.keeps_usage = bool(view.stream_options and view.stream_options.include_usage)
        route = plan.resolve(view.model)
        call.route = route.name
        outcome: Answer | Failure | None = None
        for target in route.targets:
            outcome = await self._attempt(passage, target)
            if not isinstance(outcome, Failure) or not _may_fall_back(passage, outcome):
                break
        await self._finish(passage, outcome)

    async def _attempt(self, passage: Passage, target: PreparedTarget) -> Answer | Failure | None:
        """Try one target; None means that the client left meanwhile."""
        parts, call, exchange = self._parts, passage.call, passage.exchange
        if exchange.is_closed:
            return None
        head, body = _upstream_request(passage, target)
        started_at = self._now()
        first_byte_at = exchange.request.first_byte_at
        relay = Relay(
            parts.loop,
            exchange,
            wants_stream=call.is_stream,
            keeps_usage=passage.keeps_usage,
            call_started_at=first_byte_at,
            record_limit=RECORDED_BODY_BYTES_MAX,
            begin_stream=self._stream_head(passage),
        )
        attempt = Attempt(
            number=len(call.attempts) + 1,
            provider=target.provider,
            model=target.model,
            dialect=target.dialect,
            started_ms=(started_at - first_byte_at) * 1000,
            request_bytes=len(body),
        )
        call.attempts = [*call.attempts, attempt]
        passage.target, passage.relay = target, relay
        exchange.on_close, exchange.on_pause, exchange.on_resume = relay.cancel, relay.pause, relay.resume
        await self._send(target, head, body, relay)
        exchange.on_close = exchange.on_pause = exchange.on_resume = None
        passage.upstream_s += self._now() - started_at
        return self._close_attempt(attempt, relay, first_byte_at)

    async def _send(self, target: PreparedTarget, head: bytes, body: bytes, relay: Relay) -> None:
        watchdog = self._parts.watchdog
        watchdog.watch(relay)
        try:
            flight = await self._parts.pool.send(target.origin, head, body, relay, connect_timeout_s=CONNECT_TIMEOUT_S)
        except WireFault as fault:
            relay.on_fault(fault)
        else:
            relay.take_off(flight)
            await relay.ended
        finally:
            watchdog.forget(relay)

    def _close_attempt(self, attempt: Attempt, relay: Relay, zero: float) -> Answer | Failure | None:
        attempt.ended_ms = (self._now() - zero) * 1000
        attempt.http_status = relay.status
        attempt.response_bytes = relay.body_bytes
        attempt.upstream_request_id = relay.header(b"x-request-id").decode("latin-1")
        if relay.first_byte_at:
            attempt.first_byte_ms = (relay.first_byte_at - zero) * 1000
        if relay.flight is not None:
            attempt.connect_ms = relay.flight.connect_ms
        if relay.end == "cancelled":
            return None
        outcome = judge(relay)
        if isinstance(outcome, Failure):
            attempt.error_class = outcome.error_class
            attempt.error_message = outcome.message
        return outcome

    async def _finish(self, passage: Passage, outcome: Answer | Failure | None) -> None:
        """Settle the last attempt, record the call, and give the client the end of its answer."""
        call, relay, target = passage.call, passage.relay, passage.target
        assert relay is not None and target is not None
        answer = outcome if isinstance(outcome, Answer) else None
        usage = answer.usage if answer else relay.usage
        call.reported_model = answer.model if answer else relay.model
        if call.is_stream and relay.is_streaming:
            call.chunk_offsets_us = relay.chunk_offsets_us.tobytes()
        call.response_headers = _recorded(relay.headers)
        call.response_bytes = relay.body_bytes
        settle(call, target, relay, usage)
        call.response_body = _joined(relay.body)[:RECORDED_BODY_BYTES_MAX]
        match outcome:
            case None:
                call.status = "cancelled"
            case Failure():
                _note_failure(call, outcome, status_for_client(outcome, relay.status))
            case Answer():
                call.http_status = relay.status
        if relay.is_streaming:
            call.http_status = 200
            await self._end_stream(passage, relay, outcome)
        else:
            await self._reply(passage, relay, outcome)

    async def _reply(self, passage: Passage, relay: Relay, outcome: Answer | Failure | None) -> None:
        call, exchange = passage.call, passage.exchange
        match outcome:
            case Answer():
                body = outcome.body
                status, headers = relay.status, head_block(call, relay, self._stamp(passage))
            case Failure():
                self._stamp(passage)
                status, headers, body = error_reply(call, relay, outcome)
            case None:
                self._stamp(passage)
                await self._record(call)
                return
        call.delivered_bytes = len(body)
        if self._parts.recorder.must_commit:
            await self._commit(call)
            exchange.reply(status, headers, body)
        else:
            exchange.reply(status, headers, body)
            await self._record(call)

    async def _end_stream(self, passage: Passage, relay: Relay, outcome: Answer | Failure | None) -> None:
        call, exchange = passage.call, passage.exchange
        call.delivered_bytes = relay.delivered_bytes
        if relay.first_sent_at:
            call.first_token_ms = (relay.first_sent_at - exchange.request.first_byte_at) * 1000
        self._stamp(passage)
        try:
            await self._record(call)
        except NotRecorded as refusal:
            outcome = Failure("not_recorded", refusal.code, str(refusal))
        match outcome:
            case Answer():
                exchange.finish(trailers=b"")
            case Failure():
                exchange.write(fault_event(call, outcome))
                exchange.abort()
            case None:
                pass

    async def _refuse(self, passage: Passage, refusal: Refusal) -> None:
        """Answer with the gateway's own error; a stream that has begun can only be cut."""
        call, exchange = passage.call, passage.exchange
        failure = Failure(refusal.error_class, refusal.code, str(refusal))
        _note_failure(call, failure, refusal.http_status)
        if not call.attempts:
            call.cost_nusd, call.cost_status = 0, "measured"
        self._stamp(passage)
        begun = passage.relay is not None and passage.relay.is_streaming
        if begun:
            exchange.write(fault_event(call, failure))
            exchange.abort()
        else:
            status, headers, body = error_reply(call, None, failure, refusal=refusal)
            call.delivered_bytes = len(body)
            exchange.reply(status, headers, body)
        if not isinstance(refusal, NotRecorded):
            try:
                await self._record(call)
            except NotRecorded:
                _log.error("call %s was refused (%s) and could not be recorded", call.id, refusal.code)

    async def _record(self, call: Call) -> None:
        if self._parts.recorder.must_commit:
            await self._commit(call)
        else:
            self._parts.meters.count(call)
            self._parts.recorder.append(call)

    async def _commit(self, call: Call) -> None:
        self._parts.meters.count(call)
        await self._parts.recorder.commit(call)

    def _stamp(self, passage: Passage) -> float:
        """Write duration and overhead into the call; return the overhead in milliseconds."""
        call = passage.call
        spent_s = self._now() - passage.exchange.request.first_byte_at
        call.duration_ms = spent_s * 1000
        call.overhead_ms = (spent_s - passage.upstream_s) * 1000
        return call.overhead_ms

    def _stream_head(self, passage: Passage) -> Callable[[Relay], None]:
        def begin(relay: Relay) -> None:
            call = passage.call
            request = passage.exchange.request
            in_gateway_ms = call.attempts[-1].started_ms - passage.upstream_s * 1000
            if request.first_byte_at:
                passage.exchange.start(200, head_block(call, relay, in_gateway_ms))

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


def _recorded(headers: list[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    return [
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, value in headers
        if name not in CREDENTIAL_HEADERS and name != b"set-cookie"
    ]


def _joined(parts: list[bytes]) -> bytes:
    return parts[0] if len(parts) == 1 else b"".join(parts)
