"""A child process that is kept running: started, watched, restarted with a growing pause, and stopped in time."""

import asyncio
import contextlib
import logging
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Sequence
from pathlib import Path

from watchkeeper.core.errors import OperatorError

PAUSE_FIRST_S = 0.2
PAUSE_LONGEST_S = 10.0
STEADY_S = 30.0
"""A child that has run this long is started again without a pause."""
KILL_AFTER_S = 45.0
"""Longer than a worker's drain."""

_log = logging.getLogger("watchkeeper.up")


class ChildFailed(OperatorError):
    """A process that is needed to start did not start."""

    code = "child_failed"


class Child:
    """One module of ours in a process of its own. It says `ready` on standard output once it serves."""

    def __init__(self, name: str, module: str, arguments: Sequence[str], *, log: Path, says_ready: bool = True) -> None:
        self.name = name
        self._command = (sys.executable, "-m", module, *arguments)
        self._log_path = log
        self._says_ready = says_ready
        self._process: Process | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._is_wanted = True
        self.ends = 0
        """How often it has ended by itself."""

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self._process.pid if self._process is not None else None

    async def start(self, *, within_s: float) -> None:
        """Start it and wait until it serves; from then on it is kept running.

        Raises:
            ChildFailed: it ended, or did not get ready in time; the message ends with its last words.
        """
        await self._spawn()
        try:
            async with asyncio.timeout(within_s):
                is_ready = await self._wait_ready()
        except TimeoutError:
            is_ready = False
        if not is_ready:
            await self.stop()
            raise ChildFailed(f"The {self.name} did not start. {self.last_words()}")
        self._keeper = asyncio.create_task(self._keep(), name=f"keep {self.name}")

    async def stop(self) -> None:
        """Ask it to finish; end it when it does not within its time."""
        self._is_wanted = False
        process = self._process
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            try:
                async with asyncio.timeout(KILL_AFTER_S):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper

    def last_words(self) -> str:
        """Return the last line of its log, and where the log is."""
        try:
            lines = self._log_path.read_text(errors="replace").strip().splitlines()
        except OSError:
            lines = []
        said = lines[-1] if lines else "It said nothing."
        return f"{said} (log: {self._log_path})"

    async def _spawn(self) -> None:
        with self._log_path.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=DEVNULL,
                stdout=PIPE if self._says_ready else log,
                stderr=log,
                start_new_session=True,
            )

    async def _wait_ready(self) -> bool:
        process = self._process
        assert process is not None
        if process.stdout is None:
            return True
        return await process.stdout.readline() == b"ready\n"

    async def _keep(self) -> None:
        loop = asyncio.get_running_loop()
        pause_s = PAUSE_FIRST_S
        while True:
            assert self._process is not None
            started_at = loop.time()
            await self._process.wait()
            if not self._is_wanted:
                return
            if loop.time() - started_at > STEADY_S:
                pause_s = PAUSE_FIRST_S
            self.ends += 1
            _log.warning("the %s ended with %s; starting it again", self.name, self._process.returncode)
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, PAUSE_LONGEST_S)
            await self._spawn()
