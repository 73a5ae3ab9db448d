"""Injects faults into attempts, for drills and tests: on one route, for a share of its calls, for a bounded time.

A fault stands between the upstream's connection and the relay, so that everything behind it meets what it would meet in
earnest. Every attempt that was touched says so.
"""

import re
from asyncio import AbstractEventLoop
from collections import deque
from collections.abc import Callable
from functools import partial
from hashlib import blake2b
from typing import Literal, get_args

from watchkeeper.core.call import Attempt
from watchkeeper.core.clock import Clock
from watchkeeper.gateway.passage import Passage
from watchkeeper.gateway.relay import Relay
from watchkeeper.gateway.snapshot import FaultRule
from watchkeeper.gateway.streams import split_events
from watchkeeper.gateway.surfaces.errors import error_body
from watchkeeper.gateway.wire.client import BodyCut, ConnectionLost, Sink, WireFault

Kind = Literal[
    "rate_limit",
    "server_error",
    "reset",
    "slow_first_token",
    "slow_drip",
    "cut",
    "malformed_chunk",
    "wrong_usage",
]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""rate_limit: 429 with `retry-after`. server_error: a 5xx. reset: the connection is torn down before an answer. cut:
after some chunks. The first three answer in the upstream's place; the others change what it says."""

_ANSWERED_HERE = frozenset({"rate_limit", "server_error", "reset"})
_BROKEN = b'data: {"id":"injected","choices":[{"index":0,"delta":{"conte\n\n'
_COUNTS = re.compile(rb'("(?:prompt_tokens|completion_tokens|input_tokens|output_tokens|total_tokens)"\s*:\s*)(\d+)')
WRONG_BY = 10
"""What wrong usage is multiplied with."""


class Injector:
    """Puts faults where the plan says."""

    def __init__(self, loop: AbstractEventLoop, clock: Clock) -> None:
        self._loop = loop
        self._unix_ns = clock.unix_ns

    def sink(self, passage: Passage, attempt: Attempt, relay: Relay) -> Sink:
        """Return what the upstream's answer goes to: the relay, or a fault before it, which is noted on the attempt."""
        rule = self._rule(passage, attempt)
        if rule is None:
            return relay
        attempt.fault = rule.id
        if rule.id not in passage.call.faults:
            passage.call.faults = [*passage.call.faults, rule.id]
        if rule.kind in _ANSWERED_HERE:
            return Instead(self._loop, relay, rule, family="anthropic" if attempt.dialect == "anthropic" else "openai")
        if rule.kind in ("slow_first_token", "slow_drip"):
            return _Slow(self._loop, relay, rule)
        return _Changed(relay, rule)

    def _rule(self, passage: Passage, attempt: Attempt) -> FaultRule | None:
        route, call = passage.route, passage.call
        now_ns, target = self._unix_ns(), f"{attempt.provider}/{attempt.model}"
        for rule in route.faults if route is not None else ():
            if (
                now_ns < rule.until_ns
                and rule.target in ("", target)
                and rule.key_id in ("", call.key_id)
                and rule.tenant in ("", call.tenant)
                and _draw(call.id, rule.id) < rule.share
            ):
                return rule
        return None


class Instead:
    """Answers in the upstream's place; nothing is sent to it."""

    def __init__(
        self, loop: AbstractEventLoop, relay: Relay, rule: FaultRule, *, family: Literal["openai", "anthropic"]
    ):
        self._relay = relay
        self._rule = rule
        self._family: Literal["openai", "anthropic"] = family
        loop.call_soon(self._answer)

    def _answer(self) -> None:
        relay, rule = self._relay, self._rule
        if relay.ended.is_set:
            return
        if rule.kind == "reset":
            relay.on_fault(ConnectionLost(f"The connection was reset (injected by fault {rule.id})."))
            return
        status = rule.status or (429 if rule.kind == "rate_limit" else 500)
        headers = [(b"content-type", b"application/json")]
        if rule.kind == "rate_limit" and rule.seconds:
            headers.append((b"retry-after", b"%g" % rule.seconds))
        message = f"Injected by fault {rule.id}."
        relay.on_head(status, headers)
        relay.on_data(error_body(self._family, message, status=status, code=rule.kind))
        relay.on_end()

    def on_head(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """Nothing was asked."""

    def on_data(self, data: bytes) -> None:
        """Nothing was asked."""

    def on_end(self) -> None:
        """Nothing was asked."""

    def on_fault(self, fault: WireFault) -> None:
        """Nothing was asked."""


class _Slow:
    """Passes everything on later: all of it by one delay, or each piece by one more."""

    def __init__(self, loop: AbstractEventLoop, relay: Relay, rule: FaultRule) -> None:
        self._loop = loop
        self._relay = relay
        self._drips = rule.kind == "slow_drip"
        self._seconds = rule.seconds
        self._waiting: deque[Callable[[], None]] = deque()
        self._is_timed = False
        self._is_open = False

    def on_head(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """See `Sink.on_head`."""
        if self._drips:
            self._relay.on_head(status, headers)
        else:
            self._later(lambda: self._relay.on_head(status, headers))

    def on_data(self, data: bytes) -> None:
        """See `Sink.on_data`."""
        for piece in split_events(data) if self._drips and self._relay.is_stream else [data]:
            self._later(partial(self._relay.on_data, piece))

    def on_end(self) -> None:
        """See `Sink.on_end`."""
        self._later(self._relay.on_end)

    def on_fault(self, fault: WireFault) -> None:
        """See `Sink.on_fault`."""
        self._later(lambda: self._relay.on_fault(fault))

    def _later(self, act: Callable[[], None]) -> None:
        if self._is_open:
            act()
            return
        self._waiting.append(act)
        if not self._is_timed:
            self._is_timed = True
            self._loop.call_later(self._seconds, self._release)

    def _release(self) -> None:
        """Pass on the next piece, or all that waits."""
        self._is_timed = False
        if not self._drips:
            self._is_open = True
        while self._waiting and not self._relay.ended.is_set:
            self._waiting.popleft()()
            if self._drips:
                break
        if self._drips and self._waiting and not self._relay.ended.is_set:
            self._is_timed = True
            self._loop.call_later(self._seconds, self._release)


class _Changed:
    """Passes everything on, but for one thing."""

    def __init__(self, relay: Relay, rule: FaultRule) -> None:
        self._relay = relay
        self._rule = rule
        self._pieces = 0

    def on_head(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """See `Sink.on_head`."""
        self._relay.on_head(status, headers)

    def on_data(self, data: bytes) -> None:
        """See `Sink.on_data`."""
        relay = self._relay
        for piece in split_events(data) if relay.is_stream else [data]:
            if not relay.ended.is_set:
                self._pass_on(piece)

    def _pass_on(self, piece: bytes) -> None:
        relay, rule = self._relay, self._rule
        match rule.kind:
            case "wrong_usage":
                piece = _COUNTS.sub(lambda found: b"%b%d" % (found[1], int(found[2]) * WRONG_BY), piece)
            case "cut" if self._pieces >= rule.after:
                relay.on_fault(BodyCut(f"The reply was cut (injected by fault {rule.id})."))
                if relay.flight is not None:
                    relay.flight.cancel()
                return
            case "malformed_chunk" if self._pieces == rule.after:
                piece = _BROKEN + piece if relay.is_stream else piece[: len(piece) // 2]
            case _:
                pass
        self._pieces += 1
        relay.on_data(piece)

    def on_end(self) -> None:
        """See `Sink.on_end`."""
        self._relay.on_end()

    def on_fault(self, fault: WireFault) -> None:
        """See `Sink.on_fault`."""
        self._relay.on_fault(fault)


def _draw(call_id: str, fault_id: str) -> float:
    """Return a number from 0 to 1 that stays the same for all attempts of a call."""
    return int.from_bytes(blake2b(f"{call_id}{fault_id}".encode(), digest_size=7).digest()) / 2**56
