"""The state that workers should serve, compiled and handed over when the configuration, keys or drills change."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from watchkeeper.api.services import CostBasis, Routing
from watchkeeper.config.load import ConfigError, Loaded
from watchkeeper.gateway.snapshot import FaultRule, KeyEntry, Purge, Snapshot, encode
from watchkeeper.ingest.pricing import BookPricer, Terms
from watchkeeper.money.book import PriceBook
from watchkeeper.server.budgets import edited
from watchkeeper.server.compile import compile_snapshot
from watchkeeper.server.cost_basis import cost_basis
from watchkeeper.server.loading import load_whole
from watchkeeper.server.prices import terms_of
from watchkeeper.server.routes import routing_of
from watchkeeper.server.sealed import SealedFile
from watchkeeper.store.changes import changed
from watchkeeper.store.control import ControlStore
from watchkeeper.store.faults import FaultRow
from watchkeeper.store.keys import KeySecret

RETRY_LOOKS = 8
"""A refused configuration is read again after so many looks, also when nothing seems to have changed."""

_log = logging.getLogger("watchkeeper.keeper")


class DesiredState:
    """Keeps the snapshot file in step with the configuration, the files it names, and the control database.

    A broken edit is refused and the last good configuration serves on; `refused` then says what is wrong.
    """

    def __init__(
        self,
        config_path: Path,
        control: ControlStore,
        book: PriceBook,
        pricer: BookPricer,
        snapshot_file: SealedFile,
        *,
        own_keys: Iterable[KeyEntry] = (),
    ) -> None:
        """Read the configuration; `own_keys` are the program's, which workers know beside those that people make."""
        self._config_path = config_path
        self._control = control
        self._book = book
        self._pricer = pricer
        self._snapshot_file = snapshot_file
        self._own_keys = tuple(own_keys)
        self._lock = asyncio.Lock()
        self._must_compile = False
        self._looks = 0
        self._loaded: Loaded = load_whole(config_path)
        self._stamps = _stamps(self._loaded.files)
        self.config = self._loaded.config
        """The configuration in force with the budgets that people have edited, as last compiled."""
        self.snapshot: Snapshot | None = None
        self.obey: Callable[[Snapshot], Awaitable[None]] | None = None
        """Called with each snapshot before the workers have it; where it fails, they keep the last."""
        self.refused: str = ""

    @property
    def loaded(self) -> Loaded:
        """The configuration in force."""
        return self._loaded

    def recompile_soon(self) -> None:
        """Note that the control database has changed."""
        self._must_compile = True

    async def follow(self) -> None:
        """Take in what has changed since the last look; what fails is tried again at the next."""
        stamps = _stamps(self._loaded.files)
        self._looks += 1
        # What a refused edit lacks may be a file that nobody has looked at so far.
        if stamps != self._stamps or (self.refused and self._looks % RETRY_LOOKS == 0):
            self._stamps = stamps
            await self._reload()
        if self._must_compile:
            try:
                await self.compile()
            except Exception:  # whatever it was, what was asked for is not compiled yet
                self._must_compile = True
                raise

    async def compile(self) -> None:
        """Compile now and hand the snapshot to the workers when it differs from the last.

        A fault that has ended since is left as it is: the workers look at its end themselves.
        """
        async with self._lock:
            self._must_compile = False
            await self._follow_prices()
            self.config = edited(self._loaded.config, await self._control.budget_edits.current())
            snapshot = compile_snapshot(
                self.config,
                [*self._own_keys, *(_entry(key) for key in await self._control.keys.valid())],
                self._book,
                faults=[_rule(fault) for fault in await self._control.faults.active()],
                purges=[Purge(**asdict(purge)) for purge in await self._control.purges.live()],
            )
            self._pricer.terms = terms_of(snapshot)
            if self.snapshot is None or snapshot.version != self.snapshot.version:
                if self.obey is not None:
                    await self.obey(snapshot)
                await asyncio.to_thread(self._snapshot_file.write, encode(snapshot))
                self.snapshot = snapshot

    def terms(self) -> Terms:
        """Whose prices apply to each provider, and what was agreed on top."""
        return self._pricer.terms

    def routing(self) -> Routing | None:
        """Tell where calls may be sent; None before the first snapshot."""
        return routing_of(self.snapshot) if self.snapshot is not None else None

    def cost_basis(self) -> CostBasis:
        """Tell what questions about cost must know of the configuration in force."""
        return cost_basis(self._loaded.config, self._book)

    def health(self) -> dict[str, Any]:
        """Tell which configuration serves, and why the last edit does not."""
        return {
            "config": {
                "path": str(self._config_path),
                "version": self._loaded.version,
                "refused": self.refused or None,
            },
            "snapshot": self.snapshot.version if self.snapshot else None,
        }

    async def _follow_prices(self) -> None:
        revision = await self._control.prices.revision()
        if revision and revision != self._book.revision:
            self._book = await self._control.prices.book()

    async def _reload(self) -> None:
        try:
            loaded = await asyncio.to_thread(load_whole, self._config_path)
        except ConfigError as error:
            if self.refused != str(error):
                self.refused = str(error)
                _log.error("the edited configuration is refused and the previous one serves on: %s", error)
            return
        self.refused = ""
        self._stamps = _stamps(loaded.files)
        if loaded.version != self._loaded.version:
            detail = changed({"version": self._loaded.version}, {"version": loaded.version})
            self._loaded = loaded
            self._must_compile = True
            summary = f"configuration {loaded.version}"
            await self._control.changes.note("config", summary, actor="file", detail=detail)


def _entry(key: KeySecret) -> KeyEntry:
    row = key.row
    return KeyEntry(
        public_id=row.public_id,
        secret_hash=key.secret_hash,
        name=row.name,
        feature=row.feature,
        tenant=row.tenant,
        environment=row.environment,
        expires_ns=None if row.expires_at is None else _unix_ns(row.expires_at),
    )


def _rule(row: FaultRow) -> FaultRule:
    return FaultRule(
        id=row.id,
        kind=row.kind,
        route=row.route,
        share=row.share,
        until_ns=_unix_ns(row.ends_at),
        target=row.target,
        key_id=row.key_id,
        tenant=row.tenant,
        after=row.after,
        seconds=row.seconds,
        status=row.status,
    )


def _unix_ns(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000_000)


def _stamps(paths: Iterable[Path]) -> list[tuple[int, int, int]]:
    """What changes when the files do; zeros for one that is away, as some editors leave it for a moment."""
    return [_stamp(path) for path in paths]


def _stamp(path: Path) -> tuple[int, int, int]:
    try:
        found = path.stat()
    except FileNotFoundError:
        return (0, 0, 0)
    return (found.st_mtime_ns, found.st_size, found.st_ino)
