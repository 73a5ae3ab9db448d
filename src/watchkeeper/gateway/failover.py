"""Carries a call through its attempts: what is done when one fails is decided here, by the class of its failure."""

import math
import random
from asyncio import AbstractEventLoop
from collections import deque
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from msgspec import Struct

from watchkeeper.core.call import AttemptKind, ErrorClass
from watchkeeper.core.clock import Clock
from watchkeeper.gateway.attempts import Attempts
from watchkeeper.gateway.breaker import PASS, Gate
from watchkeeper.gateway.continuing import Continuation
from watchkeeper.gateway.course import Course, Decision
from watchkeeper.gateway.fitting import Fitter
from watchkeeper.gateway.neutral import CannotCarry
from watchkeeper.gateway.outcome import Answer, Failure
from watchkeeper.gateway.passage import Passage
from watchkeeper.gateway.plan import PreparedHandling, PreparedRoute, PreparedTarget
from watchkeeper.gateway.refusals import NotCarried
from watchkeeper.gateway.ways import Way, open_way
from watchkeeper.gateway.wire.runs import Signal

ATTEMPTS_MAX = 12
"""In one call, whatever its route says."""
PATIENCE_S = 1.0
"""A target that asks for a longer wait is left for the next one, where there is one."""
WAIT_MAX_S = 30.0
"""A target that asks for a longer wait is not tried again."""
USEFUL_S = 0.5
"""No attempt is begun with less time than this."""


class Default(NamedTuple):
    """What is done about a class of failure where the route says nothing."""

    retries: int
    falls_back: bool
    counts: bool
    """Against the target's breaker."""


DEFAULTS: dict[ErrorClass, Default] = {
    "rate_limit": Default(2, True, False),
    "timeout": Default(0, True, True),
    "unreachable": Default(1, True, True),
    "capacity": Default(1, True, True),
    "upstream_error": Default(1, True, True),
    "upstream_auth": Default(0, True, True),
    "broken_stream": Default(1, True, True),
    "malformed_reply": Default(1, True, True),
    "not_found": Default(0, True, False),
    "context_length": Default(0, False, False),
    "content_policy": Default(0, False, False),
    "bad_request": Default(0, False, False),
    "too_large": Default(0, False, False),
}
"""A target that stays silent is not tried again: that would only double the wait."""

_AS_IT_IS = Default(0, False, False)


class Failover:
    """Makes attempts until one answers or nothing is left to try."""

    def __init__(
        self,
        loop: AbstractEventLoop,
        clock: Clock,
        attempts: Attempts,
        fitter: Fitter,
        roll: Callable[[], float] = random.random,
    ) -> None:
        self._loop = loop
        self._now = clock.monotonic
        self._unix_ns = clock.unix_ns
        self._attempts = attempts
        self._fitter = fitter
        self._roll = roll

    async def carry(self, passage: Passage, route: PreparedRoute, course: Course) -> Answer | Failure | None:
        """Return the answer, or the failure that stays; None when the client has left.

        Raises:
            NotCarried: no target can take this request; the field is named.
        """
        trip = _Trip(passage, route, course, deque(course.targets))
        failure: Failure | None = None
        while trip.targets and len(passage.call.attempts) < ATTEMPTS_MAX:
            target = trip.targets[0]
            way = self._way(trip, target)
            gate = self._gate(trip, target) if way is not None else None
            if way is None or gate is None:
                trip.targets.popleft()
                continue
            passage.next_kind = trip.next_kind
            if trip.next_kind == "first":
                target.health.earn_retries()
            has_ended = False
            try:
                outcome = await self._attempts.make(passage, target, way)
                has_ended = True
            finally:
                if not has_ended:  # a trial nobody reports on would keep the target closed
                    target.health.breaker.gave_up(is_trial=gate.is_trial)
            self._learn(trip, target, gate, outcome)
            if not isinstance(outcome, Failure):
                return outcome
            failure = outcome
            if not await self._mend(trip, target, failure):
                break
        if passage.exchange.is_closed and not (passage.is_committed and failure is not None):
            return None
        return failure if failure is not None else self._why_none(trip)

    def _way(self, trip: "_Trip", target: PreparedTarget) -> Way | None:
        try:
            if trip.continuation is not None:
                return trip.continuation.way(trip.passage, target)
            return open_way(trip.passage, target)
        except CannotCarry as problem:
            trip.uncarried = trip.uncarried or problem
            trip.course.exclude(target.name, str(problem))
            return None

    def _gate(self, trip: "_Trip", target: PreparedTarget) -> Gate | None:
        breaker = target.health.breaker
        if not breaker.is_troubled:
            return PASS
        gate = breaker.gate(self._now(), trip.route.breaker)
        if not gate.why_not:
            return gate
        is_last = len(trip.targets) == 1
        is_only = is_last and not (trip.passage.call.attempts or trip.course.exclusions)
        if (is_last and gate.why_not == "ramp") or (is_only and gate.why_not == "rate_limited"):
            return PASS  # better slowly than not at all
        trip.again_in_s = min(trip.again_in_s, max(1.0, gate.again_in_s))
        again = f" for {gate.again_in_s:.1f} s more" if gate.again_in_s else ""
        trip.course.exclude(target.name, f"{_CLOSED[gate.why_not]}{again}")
        return None

    def _learn(self, trip: "_Trip", target: PreparedTarget, gate: Gate, outcome: Answer | Failure | None) -> None:
        """Take in what an attempt says of its target."""
        health, relay = target.health, trip.passage.relay
        if isinstance(outcome, Answer):
            assert relay is not None
            now = relay.heard_at
            if health.breaker.is_troubled:
                health.breaker.succeeded(now, is_trial=gate.is_trial)
            health.observe(((relay.first_token_at or relay.first_byte_at) - relay.sent_at) * 1000, now)
            return
        now = self._now()
        if outcome is None:
            health.breaker.gave_up(is_trial=gate.is_trial)
        elif DEFAULTS.get(outcome.error_class, _AS_IT_IS).counts and outcome.code != "total_timeout":
            health.breaker.failed(now, trip.route.breaker, is_trial=gate.is_trial)
        elif outcome.error_class == "rate_limit":
            health.breaker.gave_up(is_trial=gate.is_trial)
            wait_s = _asked_wait_s(trip.passage, self._unix_ns() / 1e9)
            if wait_s:
                health.breaker.cool(now + min(wait_s, WAIT_MAX_S))
        else:  # it answered, if only to refuse
            health.breaker.succeeded(now, is_trial=gate.is_trial)

    async def _mend(self, trip: "_Trip", target: PreparedTarget, failure: Failure) -> bool:
        """Prepare the next attempt; False when there is to be none."""
        passage, course = trip.passage, trip.course
        number, name = len(passage.call.attempts), failure.code or failure.error_class
        handling = trip.route.handling_of(failure)
        if trip.continuation is not None and trip.continuation.restarts(target, failure):
            course.decide(Decision(number, name, "restart", "it does not continue an answer that was begun"))
            return True
        if self._time_left(trip) < USEFUL_S:
            course.decide(Decision(number, name, "fail", "the call's time is up"))
            return False
        if passage.is_committed and not self._can_continue(trip):
            course.decide(Decision(number, name, "fail", "the client has the beginning of the answer"))
            return False
        if not passage.is_committed and failure.error_class == "context_length" and handling is not None:
            how = await self._fitter.fit(passage, handling)
            if how:
                course.decide(Decision(number, name, how))
                trip.next_kind = "changed"
                return True
        wait_s, why = self._retry_wait(trip, target, failure, handling)
        if wait_s is not None:
            course.decide(Decision(number, name, "retry", f"after {wait_s * 1000:.0f} ms"))
            trip.next_kind = "continued" if trip.continuation is not None else "retry"
            return await self._wait(trip, wait_s)
        trip.targets.popleft()
        trip.turn_to(handling, failure)
        if not trip.targets:
            course.decide(Decision(number, name, "fail", why or "there is no other target"))
            return False
        trip.next_kind = "continued" if trip.continuation is not None else "fallback"
        course.decide(Decision(number, name, "continue" if trip.continuation is not None else "fallback", why))
        return True

    def _can_continue(self, trip: "_Trip") -> bool:
        """Go on from what the client has, where the route says so and the answer is one that can be continued."""
        if trip.route.commit != "continue":
            return False
        trip.continuation = Continuation.after(trip.passage, trip.continuation)
        return trip.continuation is not None

    def _retry_wait(
        self, trip: "_Trip", target: PreparedTarget, failure: Failure, handling: PreparedHandling | None
    ) -> tuple[float | None, str]:
        """Return how long to wait before the same target is tried again; None, and why, when it is not."""
        default = DEFAULTS.get(failure.error_class, _AS_IT_IS)
        said = handling.said.retry if handling is not None else None
        retries = trip.route.retries
        allowed = min(default.retries if said is None else said, retries.attempts - 1)
        if trip.passage.is_sdk_retry and said is None:
            return None, "the client tries again itself" if allowed else ""
        done = trip.tried.get(target.name, 0)
        trip.tried[target.name] = done + 1
        if done >= allowed:
            return None, ""
        limit_s = min(retries.backoff_max_s, retries.backoff_s * 2**done)
        asked_s = _asked_wait_s(trip.passage, self._unix_ns() / 1e9)
        if asked_s is None:
            return None, "the upstream forbids a retry"
        wait_s = asked_s + self._roll() * limit_s
        has_other = len(trip.targets) > 1 and (default.falls_back or said is not None)
        if asked_s > WAIT_MAX_S or (has_other and asked_s > PATIENCE_S):
            return None, f"it asks to wait {asked_s:g} s"
        if wait_s > self._time_left(trip) - USEFUL_S:
            return None, "there is no time for the wait"
        if not target.health.spend_retry():
            return None, "too many calls to it are being retried"
        return wait_s, ""

    def _time_left(self, trip: "_Trip") -> float:
        return trip.passage.ends_by - self._now()

    async def _wait(self, trip: "_Trip", wait_s: float) -> bool:
        """Wait; False when the client leaves meanwhile."""
        passage = trip.passage
        begun_at, over = self._now(), Signal()
        timer = self._loop.call_later(wait_s, _set_once, over)
        passage.exchange.on_close = lambda: _set_once(over)
        try:
            if not passage.exchange.is_closed:
                await over
        finally:
            timer.cancel()
            passage.exchange.on_close = None
        waited_s = self._now() - begun_at
        passage.upstream_s += waited_s
        passage.waited_s += waited_s
        return not passage.exchange.is_closed

    def _why_none(self, trip: "_Trip") -> Failure:
        """Say why nothing was sent."""
        if trip.uncarried is not None:
            raise NotCarried(f"{trip.uncarried}. Leave it out, or choose another model.", param=trip.uncarried.field)
        reasons = "; ".join(f"{name}: {why}" for name, why in trip.course.exclusions.items()) or "it has no targets"
        trip.passage.retry_after_s = min(60.0, trip.again_in_s)
        message = f"No target of `{trip.route.name}` may be tried now ({reasons}). Nothing was sent."
        return Failure("capacity", "targets_down", message)


class _Trip(Struct, eq=False):
    """How far a call has come."""

    passage: Passage
    route: PreparedRoute
    course: Course
    targets: deque[PreparedTarget]
    tried: dict[str, int] = {}
    next_kind: AttemptKind = "first"
    uncarried: CannotCarry | None = None
    continuation: Continuation | None = None
    again_in_s: float = 60.0
    turned: set[str] = set()

    def turn_to(self, handling: PreparedHandling | None, failure: Failure) -> None:
        """Take the targets that this class of failure is answered by, once; none where it is answered by none."""
        said = handling.said if handling is not None else None
        if said is not None and said.targets and failure.error_class not in self.turned:
            self.turned.add(failure.error_class)
            tried = {f"{one.provider}/{one.model}" for one in self.passage.call.attempts}
            assert handling is not None
            self.targets = deque(target for target in handling.targets if target.name not in tried)
            return
        falls_back = said.falls_back if said is not None else None
        if falls_back is None and self.continuation is not None:
            falls_back = True
        if falls_back is None:
            falls_back = DEFAULTS.get(failure.error_class, _AS_IT_IS).falls_back
        if not falls_back:
            self.targets.clear()


_CLOSED = {
    "open": "its breaker is open",
    "on_trial": "another call is trying whether it is back",
    "ramp": "it is coming back step by step",
    "rate_limited": "it has asked to be left alone",
}


def _asked_wait_s(passage: Passage, unix_s: float) -> float | None:
    """Return how long the upstream asks to wait; 0 when it does not say, None when it forbids to try again."""
    relay = passage.relay
    fields = relay.fields if relay is not None else {}
    if fields.get(b"x-should-retry") == b"false":
        return None
    for name, scale in ((b"retry-after-ms", 0.001), (b"retry-after", 1.0)):
        value = fields.get(name)
        if value is not None:
            return _seconds(value.decode("latin-1"), scale, unix_s)
    return 0.0


def _seconds(value: str, scale: float, unix_s: float) -> float:
    """Read a number of seconds, or an HTTP date; 0 for neither."""
    try:
        asked_s = float(value) * scale
    except ValueError:
        try:
            asked_s = parsedate_to_datetime(value).timestamp() - unix_s
        except ValueError:
            return 0.0
    return max(0.0, asked_s) if math.isfinite(asked_s) else 0.0


def _set_once(signal: Signal) -> None:
    if not signal.is_set:
        signal.set()
