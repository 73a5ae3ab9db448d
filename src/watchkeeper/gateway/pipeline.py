"""One call, in order: identify, attribute, read, look in the cache, route, attempt, add up, record, answer."""

import logging
from array import array
from asyncio import CancelledError
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass

from watchkeeper.core.call import Call
from watchkeeper.core.clock import Clock
from watchkeeper.core.ids import CallIds
from watchkeeper.gateway import cache as kept
from watchkeeper.gateway.admit import VALUE_LENGTH_MAX, Admission
from watchkeeper.gateway.budgets.purse import Purse
from watchkeeper.gateway.budgets.saying import only_cached
from watchkeeper.gateway.cache import Cache
from watchkeeper.gateway.choose import Chooser
from watchkeeper.gateway.course import Course
from watchkeeper.gateway.failover import Failover
from watchkeeper.gateway.hits import HEADER as HITS_HEADER
from watchkeeper.gateway.hits import read_hits
from watchkeeper.gateway.judge import status_for_client
from watchkeeper.gateway.meters import Meters
from watchkeeper.gateway.origins import mark
from watchkeeper.gateway.outcome import Answer, Failure
from watchkeeper.gateway.outputs import Outputs
from watchkeeper.gateway.passage import RECORDED_BODY_BYTES_MAX, Passage
from watchkeeper.gateway.passing import PASSTHROUGH, READS, Passing
from watchkeeper.gateway.patience import is_sdk_retry, patience_s
from watchkeeper.gateway.plan import Plan, PreparedRoute
from watchkeeper.gateway.recorder import Recorder
from watchkeeper.gateway.refusals import BudgetExceeded, Defect, NotReady, NotRecorded, Refusal
from watchkeeper.gateway.remedies import from_cache, keep, set_answer
from watchkeeper.gateway.reply import Reply, answer_reply, failure_reply, made_up_reply, refusal_reply
from watchkeeper.gateway.serving import Features
from watchkeeper.gateway.settle import add_up
from watchkeeper.gateway.shadows import Shadows
from watchkeeper.gateway.shortening import limit_output
from watchkeeper.gateway.snapshot import KeyEntry, ProviderEntry
from watchkeeper.gateway.surfaces.room import Room
from watchkeeper.gateway.surfaces.views import FEATURE_PREFIX
from watchkeeper.gateway.tab import Tab
from watchkeeper.gateway.wire.server import Exchange
from watchkeeper.money.prices import MODEL_NAME_MAX

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Parts:
    """What a pipeline is made of."""

    clock: Clock
    worker: str
    admission: Admission
    chooser: Chooser
    failover: Failover
    passing: Passing
    cache: Cache
    purse: Purse
    features: Features
    outputs: Outputs
    shadows: Shadows
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

    def feature_names(self, entry: KeyEntry) -> list[str]:
        """List the features that a key can ask for, as `feature/NAME`."""
        return self._parts.features.names(entry.environment, self._unix_ns())

    def serve(self, exchange: Exchange, room: Room) -> Coroutine[None, None, None]:
        """Answer one call and record it once, whatever happens."""
        return self._see_through(self._begin(exchange, room), self._work)

    def pass_on(self, exchange: Exchange, provider: ProviderEntry, rest: str) -> Coroutine[None, None, None]:
        """Pass a request to a provider as it is, and record it as any other."""

        async def work(passage: Passage) -> Reply:
            plan, entry = self._identify(passage)
            self._parts.recorder.require_room()
            tab = passage.tab = await self._parts.purse.admit(passage)
            if tab is not None and passage.exchange.request.method not in READS:
                await self._parts.purse.hold(passage, tab, ())
            outcome = await self._parts.passing.ask(passage, plan, entry, provider, rest)
            self._finish(passage)
            return self._parts.passing.conclude(passage, outcome)

        return self._see_through(self._begin(exchange, PASSTHROUGH), work)

    async def _see_through(self, passage: Passage, work: Callable[[Passage], Awaitable[Reply]]) -> None:
        exchange = passage.exchange
        try:
            reply = await work(passage)
        except Refusal as refusal:
            reply = self._refuse(passage, refusal)
        except CancelledError:  # the worker stops and waits no longer
            passage.call.status, passage.call.error_code = "cancelled", "gateway_stopped"
            self._finish(passage)
            self._settle(passage)
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
        if passage.serving is not None and passage.serving.shadow:
            self._parts.shadows.cast(passage, self._repeat)

    def _repeat(self, exchange: Exchange, original: Passage) -> Coroutine[None, None, None]:
        """Make a call once more, for nobody."""
        passage = self._begin(exchange, original.room)
        passage.call.origin, passage.call.origin_call = "shadow", original.call.id
        passage.call.rollout = original.call.rollout
        return self._see_through(passage, self._work)

    def _begin(self, exchange: Exchange, room: Room) -> Passage:
        request = exchange.request
        zero = request.first_byte_at
        call = Call(
            id=self._next_id(),
            started_ns=self._unix_ns() - int((self._now() - zero) * 1e9),
            worker=self._parts.worker,
            surface=room.surface,
            request_path=request.path,
            request_bytes=len(request.body),
        )
        return Passage(exchange, call, room, zero, request.body)

    async def _work(self, passage: Passage) -> Reply:
        """Carry a call from its admission to what its client is to be told."""
        plan, route = self._admit(passage)
        purse = self._parts.purse
        self._set_end(passage, route)
        tab = passage.tab = await purse.admit(passage)
        if passage.serving is not None:
            await self._parts.features.render(passage, passage.serving)
            purse.look_again(passage, tab)
        if isinstance(route.missing_max_tokens, int):
            _limit_answer(passage, route.missing_max_tokens)
        if route.cache is not None:
            reply = self._look_up(passage, route)
            if reply is not None:
                return reply
        if tab is not None and tab.cache_only is not None:
            raise only_cached(tab.cache_only)
        course = passage.course = self._parts.chooser.course(passage, plan, route)
        if tab is not None:
            await purse.hold(passage, tab, course.targets + route.further)
        outcome = await self._parts.failover.carry(passage, route, course)
        if passage.holds_back and isinstance(outcome, Answer):
            outcome = await self._parts.outputs.hold_against(passage, course, outcome)
        self._finish(passage)
        return self._conclude(passage, route, outcome)

    def _identify(self, passage: Passage) -> tuple[Plan, KeyEntry]:
        """Find out who calls, and on whose behalf."""
        plan, call, request = self.plan, passage.call, passage.exchange.request
        if plan is None:
            raise NotReady("The gateway has no configuration yet. It is starting; try again in a few seconds.")
        call.snapshot = plan.snapshot.version
        call.is_stale = self._parts.features.is_stale
        admission = self._parts.admission
        entry = admission.identify(plan, request.headers)
        call.request_body = request.body[:RECORDED_BODY_BYTES_MAX]
        passage.person = admission.attribute(call, entry, request.header_list)
        mark(call, entry, request.headers)
        if (named := request.headers.get(HITS_HEADER)) is not None:
            call.hits = read_hits(named)
        return plan, entry

    def _admit(self, passage: Passage) -> tuple[Plan, PreparedRoute]:
        """Identify and attribute the call, read its body, and find its route."""
        plan, _ = self._identify(passage)
        call, request = passage.call, passage.exchange.request
        view = passage.view = passage.room.read(request.body)
        call.requested_model = (view.model or ",".join(view.models or ()))[:MODEL_NAME_MAX]
        if view.person:
            self._parts.admission.attribute_user(call, view.person)
            passage.person = passage.person or view.person[:VALUE_LENGTH_MAX]
        call.is_stream = bool(view.stream)
        model = view.model if view.models is None else view.models[0]
        if model.startswith(FEATURE_PREFIX):
            model = self._parts.features.serve(passage, model)
        route = passage.route = plan.resolve(model)
        call.route = route.name
        passage.is_sdk_retry = is_sdk_retry(request.headers)
        self._parts.recorder.require_room()
        return plan, route

    def _set_end(self, passage: Passage, route: PreparedRoute) -> None:
        """Set until when the answer must be there."""
        patient_s = patience_s(passage.exchange.request.headers, passage.call.is_stream)
        if passage.serving is not None:
            patient_s = min(patient_s, passage.serving.timeout_s)
        passage.ends_by = passage.zero + min(route.timeouts.total_s, patient_s)

    def _look_up(self, passage: Passage, route: PreparedRoute) -> Reply | None:
        """Answer from the cache where the same was asked before; otherwise note under which key the answer is kept."""
        settings = route.cache
        assert settings is not None
        wish = kept.wish_of(passage.exchange.request.headers.get(b"x-wk-cache"))
        if not (wish.reads or wish.keeps):
            return None
        key = kept.key_of(passage.call, settings, passage.body)
        if wish.reads:
            ttl_s = settings.ttl_s if wish.ttl_s is None else min(wish.ttl_s, settings.keep_s)
            found = self._parts.cache.find(key, younger_than_s=ttl_s)
            if found is not None:
                self._finish(passage)
                return from_cache(passage, found, kind="cache")
        if wish.keeps:
            passage.cache_key = key
        return None

    def _finish(self, passage: Passage) -> None:
        """Write into the call what its attempts amount to."""
        call, relay, course = passage.call, passage.relay, passage.course
        if relay is not None:
            add_up(call)
            call.response_headers = relay.headers
            if b"set-cookie" in relay.fields:
                call.response_headers = [pair for pair in relay.headers if pair[0] != b"set-cookie"]
            call.response_bytes = relay.body_bytes
            call.response_body = _joined(relay.body)[:RECORDED_BODY_BYTES_MAX]
            if relay.is_stream:
                reader = relay.reader
                assert reader is not None
                call.reported_model = reader.model
                call.usage_raw = reader.usage_raw
                call.chunk_offsets_us = array("I", relay.chunk_offsets_us).tobytes()
            if passage.is_committed:
                call.http_status = 200
                call.delivered_bytes = passage.delivered_before + relay.delivered_bytes
                first_sent_at = passage.first_sent_at or relay.first_sent_at
                if first_sent_at:
                    call.first_token_ms = (first_sent_at - passage.zero) * 1000
        if course is not None and not course.is_plain:
            call.routing = _recorded(course, passage.route)
        if not call.attempts:
            call.cost_nusd, call.cost_status = 0, "measured"
        spent_s = self._now() - passage.zero
        call.duration_ms = spent_s * 1000
        call.overhead_ms = (spent_s - passage.upstream_s) * 1000

    def _conclude(self, passage: Passage, route: PreparedRoute, outcome: Answer | Failure | None) -> Reply:
        """Write the outcome into the call, and what is to be sent for it."""
        call, relay = passage.call, passage.relay
        match outcome:
            case Answer():
                call.reported_model = outcome.model
                call.served_from = "upstream"
                if passage.remade is not None:
                    call.http_status = 200
                    keep(passage, outcome._replace(body=passage.remade), self._parts.cache, self._unix_ns())
                    return made_up_reply(passage, passage.remade)
                if relay is not None and relay.is_stream:
                    outcome = outcome._replace(body=relay.rest())
                if relay is not None and not passage.is_committed:
                    call.http_status = relay.status
                keep(passage, outcome, self._parts.cache, self._unix_ns())
                return answer_reply(passage, outcome)
            case Failure():
                _note_failure(passage, outcome, status_for_client(outcome, relay.status if relay else 0))
                return self._remedy(passage, route, outcome) or failure_reply(passage, outcome)
            case None:
                call.status = "cancelled"
                return Reply("nothing")

    def _remedy(self, passage: Passage, route: PreparedRoute, failure: Failure) -> Reply | None:
        """Answer all the same, where the route says so for this class of failure and nothing has been sent."""
        handling = route.handling_of(failure)
        if handling is None or passage.is_committed:
            return None
        said = handling.said
        if said.cached_s is not None and passage.cache_key:
            found = self._parts.cache.find(passage.cache_key, younger_than_s=said.cached_s)
            if found is not None:
                return from_cache(passage, found, kind="stale_cache")
        return set_answer(passage, said.answer) if said.answer else None

    def _refuse(self, passage: Passage, refusal: Refusal) -> Reply:
        """Write into the call why the gateway itself does not answer it, and the error to be sent."""
        self._finish(passage)
        if isinstance(refusal, BudgetExceeded):
            passage.call.budget_notes.append(f"refused {refusal.budget}")
        _note_failure(passage, Failure(refusal.error_class, refusal.code, str(refusal)), refusal.http_status)
        return refusal_reply(passage, refusal)

    def _settle(self, passage: Passage) -> Tab | None:
        """Book what the call has used on whom it counts against, once; return what was booked on."""
        tab, passage.tab = passage.tab, None
        if tab is not None:
            self._parts.purse.settle(passage, tab)
        return tab

    async def _record(self, passage: Passage, reply: Reply) -> Reply:
        """Hand the call to the recorder; return the reply, or what takes its place when the call must be on disk."""
        recorder, call = self._parts.recorder, passage.call
        call.delivered_bytes += len(reply.body)
        tab = self._settle(passage)
        try:
            record = await recorder.commit(call) if recorder.must_commit else recorder.append(call)
        except NotRecorded as refusal:
            _log.error("call %s could not be recorded (%s)", call.id, refusal)
            return self._refuse(passage, refusal)
        if tab is not None:
            self._parts.purse.recorded(tab, record)
        return reply


def _limit_answer(passage: Passage, tokens: int) -> None:
    """Set how long the answer may become, where the request does not."""
    view = passage.view
    if view is not None and view.output_limit[1] is None:
        limit_output(passage, tokens)


def _note_failure(passage: Passage, failure: Failure, status: int) -> None:
    call = passage.call
    call.status = "error"
    call.http_status = 200 if passage.is_committed else status
    call.error_class = failure.error_class
    call.error_code = failure.code or ""
    call.error_message = failure.message


def _recorded(course: Course, route: PreparedRoute | None) -> bytes:
    """Write a course down; one whose scores never change and on which nothing happened is written once."""
    if route is None or course.strategy not in ("order", "weights") or course.exclusions or course.decisions:
        return course.recorded()
    key = (course.targets[0].name, course.rule)
    found = route.recorded.get(key)
    if found is None:
        found = route.recorded[key] = course.recorded()
    return found


def _joined(parts: list[bytes]) -> bytes:
    return parts[0] if len(parts) == 1 else b"".join(parts)
