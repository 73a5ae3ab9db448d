"""Work that comes round again and again in the keeper; a store that is away delays it and ends nothing."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

_log = logging.getLogger("watchkeeper.keeper")


@dataclass(frozen=True, slots=True)
class Duty:
    """Something to do every so often."""

    name: str
    every_s: float
    do: Callable[[], Awaitable[object]]


class Rounds:
    """Does its duties side by side, each again after its time, until it is cancelled.

    What fails is said once in the log, with its reason, and so is that it works again.
    """

    def __init__(self, duties: Sequence[Duty]) -> None:
        self._duties = duties
        self._failing: set[str] = set()

    async def run(self) -> None:
        """Go on until cancelled."""
        async with asyncio.TaskGroup() as group:
            for duty in self._duties:
                group.create_task(self._repeat(duty))

    async def once(self) -> None:
        """Do everything once, one after the other."""
        for duty in self._duties:
            await self._do(duty)

    async def _repeat(self, duty: Duty) -> None:
        while True:
            await self._do(duty)
            await asyncio.sleep(duty.every_s)

    async def _do(self, duty: Duty) -> None:
        try:
            await duty.do()
        except Exception as error:  # a store is away, or a rule is wrong: the other duties go on
            if duty.name not in self._failing:
                self._failing.add(duty.name)
                reason = str(error).partition("\n")[0] or type(error).__name__
                _log.error("%s fails, and is tried again every %g s: %s", duty.name, duty.every_s, reason)
        else:
            if duty.name in self._failing:
                self._failing.discard(duty.name)
                _log.info("%s works again", duty.name)
