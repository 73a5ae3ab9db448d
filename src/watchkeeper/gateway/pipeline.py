"""One call, in order: identify, attribute, read, route, attempt, add up, record, answer."""

import logging
from array import array
from asyncio import CancelledError
from dataclasses import dataclass

from watchkeeper.core.call import Call, Surface
from watchkeeper.core.clock import Clock
from watchkeeper.core.ids import CallIds
from watchkeeper.gateway.admit import Admission
from watchkeeper.gateway.attempts import Attempts
from watchkeeper.gateway.dialects.openai.replies import Failure
from watchkeeper.gateway.judge import FALLS_BACK, Answer, status_for_client
from watchkeeper.gateway.meters import Meters
from watchkeeper.gateway.passage import RECORDED_BODY_BYTES_MAX, Passage
from watchkeeper.gateway.plan import Plan, PreparedRoute
from watchkeeper.gateway.recorder import Recorder
from watchkeeper.gateway.refusals import Defect, NotReady, NotRecorded, Refusal
from watchkeeper.gateway.reply import Reply, answer_reply, failure_reply, refusal_reply
from watchkeeper.gateway.settle import add_up
from watchkeeper.gateway.surfaces import openai as surface_openai
from watchkeeper.gateway.surfaces.openai import ChatView, View
from watchkeeper.gateway.wire.server import Exchange
from watchkeeper.money.prices import MODEL_NAME_MAX

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Parts:
    """What a pipeline is made of."""

    clock: Clock
    worker: str
    admission: Admission
    attempts: Attempts
    recorder: Recorder
    meters: Meters


class Pipeline:
    """Serves calls under the present plan."""

    def __init__(self, parts: Parts, *, plan: Plan | None) -> None:
        self.plan = plan
        self._parts = parts
        self._now = parts.clock.monotonic
        self._unix_ns = parts.clock.unix_ns
        self._next_id = CallIds(parts.clock).next

    async def serve(self, exchange: Exchange, surface: Surface) -> None:
        """Answer one call and record it once, whatever happens."""
        passage = self._begin(exchange, surface)
        try:
            reply = await self._work(passage)
        except Refusal as refusal:
            reply = self._refuse(passage, refusal)
        except CancelledError:  # the worker stops and waits no longer
            passage.call.status, passage.call.error_code = "cancelled", "gateway_stopped"
            self._finish(passage)
            self._parts.recorder.append(passage.call)
            raise
        except Exception:  # the boundary: a defect in one call must not take the worker with it
            _log.exception("call %s failed inside the gateway", passage.call.id)
            reply = self._refuse(
                passage, Defect("The gateway failed while serving this call; it is logged under its id.")
            )
        reply = await self._record(passage, reply)
        self._parts.meters.count(passage.call)
        reply.send(exchange)

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

    async def _work(self, passage: Passage) -> Reply:
        """Carry a call from its admission to what its client is to be told."""
        route = self._admit(passage)
        outcome: Answer | Failure | None = None
        for target in route.targets:
            outcome = await self._parts.attempts.make(passage, target)
            if not isinstance(outcome, Failure) or not _may_fall_back(passage, outcome):
                break
        self._finish(passage)
        return self._conclude(passage, outcome)

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
        call.requested_model = view.model[:MODEL_NAME_MAX]
        if view.user:
            admission.attribute_user(call, view.user)
        if isinstance(view, ChatView) and view.stream:
            call.is_stream = True
            passage.keeps_usage = bool(view.stream_options and view.stream_options.include_usage)
        route = plan.resolve(view.model)
        call.route = route.name
        self._parts.recorder.require_room()
        return route

    def _finish(self, passage: Passage) -> None:
        """Write into the call what its attempts amount to."""
        call, relay = passage.call, passage.relay
        if relay is not None:
            add_up(call)
            call.reported_model = relay.model
            call.response_headers = relay.headers
            if b"set-cookie" in relay.fields:
                call.response_headers = [pair for pair in relay.headers if pair[0] != b"set-cookie"]
            call.response_bytes = relay.body_bytes
            call.response_body = _joined(relay.body)[:RECORDED_BODY_BYTES_MAX]
            if relay.is_streaming:
                call.http_status = 200
                call.usage_raw = relay.usage
                call.chunk_offsets_us = array("I", relay.chunk_offsets_us).tobytes()
                call.delivered_bytes = relay.delivered_bytes
                if relay.first_sent_at:
                    call.first_token_ms = (relay.first_sent_at - passage.zero) * 1000
        spent_s = self._now() - passage.zero
        call.duration_ms = spent_s * 1000
        call.overhead_ms = (spent_s - passage.upstream_s) * 1000

    def _conclude(self, passage: Passage, outcome: Answer | Failure | None) -> Reply:
        """Write the outcome into the call, and what is to be sent for it."""
        call, relay = passage.call, passage.relay
        match outcome:
            case Answer():
                call.reported_model = outcome.model
                if relay is not None and not relay.is_streaming:
                    call.http_status = relay.status
                return answer_reply(call, relay, outcome)
            case Failure():
                _note_failure(passage, outcome, status_for_client(outcome, relay.status if relay else 0))
                return failure_reply(call, relay, outcome)
            case None:
                call.status = "cancelled"
                return Reply("nothing")

    def _refuse(self, passage: Passage, refusal: Refusal) -> Reply:
        """Write into the call why the gateway itself does not answer it, and the error to be sent."""
        call = passage.call
        self._finish(passage)
        if not call.attempts:
            call.cost_nusd, call.cost_status = 0, "measured"
        _note_failure(passage, Failure(refusal.error_class, refusal.code, str(refusal)), refusal.http_status)
        return refusal_reply(call, refusal, is_streaming=passage.is_streaming)

    async def _record(self, passage: Passage, reply: Reply) -> Reply:
        """Hand the call to the recorder; return the reply, or what takes its place when the call must be on disk."""
        recorder, call = self._parts.recorder, passage.call
        call.delivered_bytes += len(reply.body)
        if not recorder.must_commit:
            recorder.append(call)
            return reply
        try:
            await recorder.commit(call)
        except NotRecorded as refusal:
            _log.error("call %s could not be recorded (%s)", call.id, refusal)
            return self._refuse(passage, refusal)
        return reply


def _read(surface: Surface, body: bytes) -> View:
    match surface:
        case "chat":
            return surface_openai.read_chat(body)
        case "embeddings":
            return surface_openai.read_embeddings(body)


def _may_fall_back(passage: Passage, failure: Failure) -> bool:
    return failure.error_class in FALLS_BACK and not passage.is_streaming


def _note_failure(passage: Passage, failure: Failure, status: int) -> None:
    call = passage.call
    call.status = "error"
    call.http_status = 200 if passage.is_streaming else status
    call.error_class = failure.error_class
    call.error_code = failure.code or ""
    call.error_message = failure.message


def _joined(parts: list[bytes]) -> bytes:
    return parts[0] if len(parts) == 1 else b"".join(parts)
