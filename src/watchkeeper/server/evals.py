"""The keeper's parts that evaluate without anybody asking, put together."""

import os
from functools import partial

from watchkeeper.api.services import Services
from watchkeeper.evals.schedule import declared
from watchkeeper.server.drops import Drops
from watchkeeper.server.folder import DataFolder
from watchkeeper.server.online import KnownRules, OnlineEvals
from watchkeeper.server.rounds import Duty
from watchkeeper.server.run_processes import RunProcesses
from watchkeeper.server.schedules import Scheduler, holder_of, is_gone


class Evals:
    """Schedules, marks of real calls, and the watch over both."""

    def __init__(self, services: Services, folder: DataFolder, key: bytes, *, console: str) -> None:
        """Make ready.

        Args:
            services: Of the keeper.
            folder: Where runs find the keeper, and leave their log.
            key: By which calls are drawn.
            console: Its address, for links; empty when it is not known.
        """
        host = folder.host_id()
        holder, rules = holder_of(host, os.getpid()), KnownRules(services.evals)
        self._processes = RunProcesses(folder.root, folder.run / "evals.log")
        gone = partial(is_gone, host=host)
        self._online = OnlineEvals(parts=services, rules=rules, key=key, holder=holder, is_gone=gone)
        self._drops = Drops(parts=services, rules=rules, console=console)
        self._scheduler = Scheduler(
            parts=services,
            declared=lambda: [declared(one) for one in services.evals().schedules],
            runs_python=lambda: services.evals().python,
            processes=self._processes,
            host=host,
            holder=holder,
            console=console,
        )

    def duties(self) -> tuple[Duty, ...]:
        """Return what is to be done, and how often."""
        return (*self._scheduler.duties(), *self._online.duties(), *self._drops.duties())

    async def stop(self) -> None:
        """End the processes that were started, and let go of the gateway."""
        await self._processes.stop()
        await self._online.aclose()
