"""The ledger knows each rule before any worker does."""

from pathlib import Path

import pytest
from tests.integration.ledger.lines import HOST

from watchkeeper.gateway.snapshot import Snapshot
from watchkeeper.ingest.pricing import BookPricer, Terms
from watchkeeper.money.book import PriceBook
from watchkeeper.money.genai import installed
from watchkeeper.server.desired import DesiredState
from watchkeeper.server.keeper import _obey
from watchkeeper.server.ledger import LedgerService
from watchkeeper.server.sealed import SealedFile
from watchkeeper.store.control import ControlStore
from watchkeeper.testing import FakeClock

CONFIG = "budgets: [{scope: {tenant: acme}, window: calendar-month, limit: 10 USD}]\n"


async def test_a_snapshot_is_obeyed_before_workers_have_it_and_kept_back_while_it_cannot_be(
    store: ControlStore, clock: FakeClock, tmp_path: Path
) -> None:
    (tmp_path / "watchkeeper.yaml").write_text(CONFIG)
    file, pricer = SealedFile(tmp_path / "snapshot", b"s" * 32), BookPricer(Terms({}))
    desired = DesiredState(tmp_path / "watchkeeper.yaml", store, PriceBook.of(installed()), pricer, file)
    ledger = LedgerService(store.ledger, clock, host=HOST)
    errors = [ConnectionError("away")]

    async def obey(snapshot: Snapshot) -> None:
        assert not (tmp_path / "snapshot").exists()
        if errors:
            raise errors.pop()
        await _obey(ledger, snapshot)

    desired.obey = obey
    desired.recompile_soon()
    with pytest.raises(ConnectionError):
        await desired.follow()
    assert desired.snapshot is None
    await desired.follow()
    assert desired.snapshot is not None
    assert (tmp_path / "snapshot").exists()
    assert ledger.version == desired.snapshot.version
    assert [budget.limit for budget in await store.ledger.budgets()] == [10 * 10**9]
