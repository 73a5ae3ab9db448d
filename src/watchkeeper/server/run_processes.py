"""Runs of suites in processes of their own: the command line's `eval resume`, which goes on wherever a run stopped."""

import asyncio
import contextlib
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Sequence
from pathlib import Path

from watchkeeper.server import peers

COMMAND = (sys.executable, "-c", "from watchkeeper.cli.main import main; main()")
"""The `watchkeeper` command, of this interpreter."""
STOP_WITHIN_S = 10.0
"""How long a run may take to stop when the keeper does; what it has kept by then is kept, and it is gone on with."""
LOG_BYTES_MAX = 4 * 1024 * 1024


class RunProcesses:
    """Starts processes, and tells whether they are still there: also those of a keeper before this one.

    A process is known by its number and its birth, written `NUMBER/BIRTH`.
    """

    def __init__(self, data: Path, log: Path, *, command: Sequence[str] = COMMAND) -> None:
        self._data = data
        self._log = log
        self._command = tuple(command)
        self._own: dict[str, Process] = {}

    async def start(self, run: str) -> str:
        """Go on with a run in a process of its own; answers of earlier runs are not taken for its own."""
        options = ("--data", str(self._data), "--reuse", "0s", "--quiet", "--json")
        with self._log.open("ab") as log:
            if log.tell() > LOG_BYTES_MAX:
                log.truncate(0)
            process = await asyncio.create_subprocess_exec(
                *self._command, "eval", "resume", run, *options,
                stdin=DEVNULL, stdout=DEVNULL, stderr=log, start_new_session=True,
            )  # fmt: skip
        child = f"{process.pid}/{peers.born_of(process.pid)}"
        self._own[child] = process
        return child

    def lives(self, child: str) -> bool:
        """Tell whether a process is still there."""
        own = self._own.get(child)
        if own is not None:
            if own.returncode is None:
                return True
            del self._own[child]
            return False
        number, _, born = child.partition("/")
        return number.isdigit() and bool(born) and peers.lives(int(number), born)

    def last_words(self) -> str:
        """Return the last line that any of them has said."""
        try:
            with self._log.open("rb") as log:
                log.seek(max(0, log.seek(0, 2) - 4096))
                lines = log.read().decode("utf-8", "replace").strip().splitlines()
        except OSError:
            lines = []
        return lines[-1][:500] if lines else "it said nothing"

    async def stop(self) -> None:
        """Ask those that this keeper has started to stop, and end them when they do not in time."""
        going = [process for process in self._own.values() if process.returncode is None]
        for process in going:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
        for process in going:
            try:
                async with asyncio.timeout(STOP_WITHIN_S):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
