"""Copies of calls, made under a release that is tried, for nobody: their answers are compared, never delivered."""

from asyncio import AbstractEventLoop
from collections.abc import Callable, Coroutine
from typing import Any

from msgspec import structs

from watchkeeper.gateway.passage import Passage
from watchkeeper.gateway.patching import patch
from watchkeeper.gateway.surfaces.views import FEATURE_PREFIX
from watchkeeper.gateway.wire.exchange import Exchange, Request
from watchkeeper.gateway.wire.runs import Runs

UNDER_WAY_MAX = 32
"""In one worker; a copy that would be one more is not made, and counted as skipped."""
_OF_THE_ORIGINAL = frozenset({b"x-wk-cache", b"x-wk-environment", b"x-wk-value"})
"""Headers that a copy does not repeat: it is answered by a model, has no value, and says itself where it is made."""


class Unheard(Exchange):
    """An exchange that nobody listens to."""

    __slots__ = ()

    def __init__(self, request: Request) -> None:
        self.request = request
        self.is_closed = False
        self.on_close = self.on_pause = self.on_resume = None

    @property
    def peer(self) -> str:
        """Nobody's address."""
        return ""

    @property
    def is_answered(self) -> bool:
        """Nobody waits."""
        return True

    def reply(self, status: int, headers: bytes, body: bytes) -> None:
        """Say nothing."""

    def start(self, status: int, headers: bytes) -> None:
        """Say nothing."""

    def write(self, data: bytes) -> None:
        """Say nothing."""

    def finish(self, trailers: bytes = b"") -> None:
        """Say nothing."""

    def abort(self) -> None:
        """Say nothing."""

    async def drained(self) -> None:
        """There is always room."""


class Shadows:
    """The copies that one worker makes."""

    def __init__(self, loop: AbstractEventLoop) -> None:
        self._runs = Runs(loop, on_end=_nobody_waits)
        self.skipped = 0
        """Copies that were not made because so many were under way."""

    def cast(self, original: Passage, repeat: Callable[[Exchange, Passage], Coroutine[Any, Any, None]]) -> None:
        """Make a copy of a finished call, unless that was a copy itself or failed for the client's own fault."""
        if original.call.origin != "client" or original.call.error_class == "invalid_request":
            return
        if len(self._runs) >= UNDER_WAY_MAX:
            self.skipped += 1
            return
        exchange = Unheard(_copied(original))
        self._runs.start(repeat(exchange, original), exchange)

    def stop(self) -> None:
        """Give up the copies under way."""
        self._runs.cancel_all()


def _copied(original: Passage) -> Request:
    request, call, serving = original.exchange.request, original.call, original.serving
    assert serving is not None
    model = f'"{FEATURE_PREFIX}{call.feature}@{serving.shadow}"'.encode()
    headers = [pair for pair in request.header_list if pair[0] not in _OF_THE_ORIGINAL]
    headers.append((b"x-wk-environment", call.environment.encode()))
    return structs.replace(
        request,
        headers={name: value for name, value in request.headers.items() if name not in _OF_THE_ORIGINAL}
        | {headers[-1][0]: headers[-1][1]},
        header_list=headers,
        body=patch(request.body, {"model": model, "models": None}),
        first_byte_at=original.zero + call.duration_ms / 1000,
    )


def _nobody_waits(_exchange: Exchange, _error: Exception | None) -> None:
    """A copy that fails is recorded as a call that failed."""
