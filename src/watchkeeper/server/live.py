"""Hands the workers what is live: the file of standings, and a file for each release."""

import asyncio
import logging
from collections import defaultdict
from datetime import UTC, datetime, timedelta

from sqlalchemy.exc import SQLAlchemyError

from watchkeeper.core.clock import Clock
from watchkeeper.gateway.live import NOTHING_LIVE, Live, Standing, encode
from watchkeeper.releases.recipe import canonical
from watchkeeper.server.folder import DataFolder
from watchkeeper.server.sealed import SealedFile, release_file
from watchkeeper.store.control import ControlStore
from watchkeeper.store.environments import StandingRow
from watchkeeper.store.releases import ReleaseRow

_log = logging.getLogger("watchkeeper.keeper")

KEPT_FOR = timedelta(hours=1)
"""How long what has been replaced stays in the file, for calls that began before: a body may come slowly."""
WRITTEN_MAX = 500
"""Releases written in one look; the rest follow at the next."""
SILENT_S = 5.0
"""A worker that has not been heard of for so long is not waited for."""


class LiveReleases:
    """Keeps the files in step with the control database."""

    def __init__(self, control: ControlStore, folder: DataFolder, key: bytes, clock: Clock) -> None:
        self._control = control
        self._clock = clock
        self._key = key
        self._folder = folder
        self._file = SealedFile(folder.live, key)
        self._lock = asyncio.Lock()
        self._written_up_to = 0
        self._at_hand: set[str] = set()
        self.live: Live = NOTHING_LIVE
        """What the workers have been told."""
        self._is_written = False

    async def follow(self) -> None:
        """Write what has changed since the last look, also by other keepers on the same database."""
        self._folder.heartbeat.touch()
        async with self._lock:
            await self._write_releases()
        if await self._control.environments.version() != self.live.version or not self._is_written:
            await self.tell()

    async def tell(self) -> None:
        """Write what is live now; workers have it within a tenth of a second."""
        async with self._lock:
            await self._write_releases()
            version = await self._control.environments.version()
            since = datetime.fromtimestamp(self._clock.unix_ns() / 1e9, UTC) - KEPT_FOR
            rows = await self._control.environments.recent(since)
            await self._write_those_of(rows)
            standings: dict[str, list[Standing]] = defaultdict(list)
            for row in rows:
                standings[f"{row.feature}@{row.environment}"].append(_standing(row))
            live = Live(version, {name: tuple(held) for name, held in standings.items()})
            await asyncio.to_thread(self._file.write, encode(live))
            self.live, self._is_written = live, True

    async def told(self) -> None:
        """Tell at once what has been decided; where that fails now, it is told at the next look."""
        try:
            await self.tell()
        except (OSError, SQLAlchemyError) as error:
            self._is_written = False
            _log.error("what is live could not be told to the workers yet: %s", error)

    def arrival(self) -> dict[str, int]:
        """Return which version of what is live each running worker serves."""
        now_s = self._clock.unix_ns() / 1e9
        found: dict[str, int] = {}
        for path in self._folder.serving.iterdir():
            if now_s - path.stat().st_mtime < SILENT_S:
                found[path.name] = int(path.read_text() or 0)
        return found

    async def _write_releases(self) -> None:
        rows = await self._control.releases.after(self._written_up_to, limit=WRITTEN_MAX)
        if rows:
            await asyncio.to_thread(self._write_files, rows)
            self._written_up_to = rows[-1].number

    async def _write_those_of(self, standings: list[StandingRow]) -> None:
        """What workers are told of must be there, however far the others have come."""
        named = {row.release for row in standings}
        named |= {arm.release for row in standings if row.rollout is not None for arm in row.rollout.arms}
        if missing := named - self._at_hand - {""}:
            found = await self._control.releases.several(missing)
            await asyncio.to_thread(self._write_files, list(found.values()))

    def _write_files(self, rows: list[ReleaseRow]) -> None:
        for row in rows:
            file = release_file(self._folder, self._key, row.id)
            if not file.path.exists():
                file.write(canonical(row.recipe))
            self._at_hand.add(row.id)


def _standing(row: StandingRow) -> Standing:
    return Standing(_unix_ns(row.effective_at), row.release, row.rollout)


def _unix_ns(moment: datetime) -> int:
    """Exact to the microsecond, which a float is not."""
    return ((moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)) * 1_000
