"""What every run from the command line needs: connections, having outcomes kept, and a line that says how far it is."""

import asyncio
import contextlib
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path

import httpx
import msgspec

from watchkeeper.cli import client
from watchkeeper.cli.outcome import CommandFailed
from watchkeeper.core.money import usd
from watchkeeper.evals.outcome import Outcome
from watchkeeper.evals.running import INTERRUPTED, Progress, Stopped

CONNECTIONS_MAX = 256
KEPT_TRIES_S = (0.5, 2.0, 5.0, 15.0, 30.0)
"""Waits between tries to have outcomes kept: a keeper that is restarted is back by then."""
LINE_EVERY_S = 0.25
LINE_ELSEWHERE_S = 10.0
"""Where the progress is not shown on a terminal."""
STOP_WORDS: Mapping[Stopped, str] = {
    "": "",
    "cap": "the run has cost what it may cost; what was not asked is unmeasured",
    "unpriced": "nobody knows what its calls cost, so no sum can be kept to; give the provider a price list, or "
    "leave the sum out",
    "interrupted": INTERRUPTED,
}


class _Late(httpx.AsyncBaseTransport):
    """Made ready when the first request is sent: reading the certificates of all authorities takes 30 ms."""

    def __init__(self) -> None:
        self._made: httpx.AsyncHTTPTransport | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self._made is None:
            limits = httpx.Limits(max_connections=CONNECTIONS_MAX, max_keepalive_connections=CONNECTIONS_MAX)
            self._made = httpx.AsyncHTTPTransport(limits=limits, trust_env=False)
        return await self._made.handle_async_request(request)

    async def aclose(self) -> None:
        if self._made is not None:
            await self._made.aclose()


def connections() -> httpx.AsyncClient:
    """Return a client for a run, which whoever asked for it closes; it takes no proxy from the surroundings."""
    return httpx.AsyncClient(transport=_Late(), trust_env=False)


def kept_with(data: Path, run: str, turn: int) -> Callable[[Sequence[Outcome]], Awaitable[None]]:
    """Return what has outcomes of a run kept; a keeper that is away for a while is waited for."""

    path = f"/api/v1/evals/runs/{run}/outcomes?turn={turn}"

    async def keep(outcomes: Sequence[Outcome]) -> None:
        content = msgspec.json.encode(outcomes)
        for wait_s in (*KEPT_TRIES_S, None):
            try:
                await asyncio.to_thread(client.post_content, data, path, content)
            except client.Refused:  # another process has ended the run, or nobody may add to it
                raise
            except CommandFailed:
                if wait_s is None:
                    raise
                await asyncio.sleep(wait_s)
            else:
                return

    return keep


@contextlib.contextmanager
def shown(progress: Progress) -> Iterator[None]:
    """Show how far a run is: one line that is written over on a terminal, a line now and then elsewhere."""
    is_terminal = sys.stderr.isatty()
    began, done_before = time.monotonic(), progress.done

    def line() -> str:
        passed_s = time.monotonic() - began
        pace = (progress.done - done_before) / passed_s if passed_s > 0 else 0.0
        left = f"{_length((progress.total - progress.done) / pace)} left" if pace > 0 else ""
        parts = [
            f"{progress.done}/{progress.total}",
            f"{progress.passed} passed",
            f"{progress.failed} failed",
            f"{progress.unmeasured} unmeasured",
            f"${usd(progress.spent_nusd)}" + (f" and {progress.unpriced} unpriced" if progress.unpriced else ""),
            f"{progress.reused} reused" if progress.reused else "",
            left if progress.done < progress.total else "",
        ]
        return "  ".join(part for part in parts if part)

    async def follow() -> None:
        while True:
            await asyncio.sleep(LINE_EVERY_S if is_terminal else LINE_ELSEWHERE_S)
            sys.stderr.write(f"\r\x1b[2K{line()}" if is_terminal else f"{line()}\n")
            sys.stderr.flush()

    following = asyncio.create_task(follow())
    try:
        yield
    finally:
        following.cancel()
        sys.stderr.write(f"\r\x1b[2K{line()}\n" if is_terminal else f"{line()}\n")


def _length(length_s: float) -> str:
    minutes, seconds = divmod(round(length_s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
