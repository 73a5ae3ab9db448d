"""What is exported is read back by other programs as what the store holds, to the nano-dollar."""

import csv
import io
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from tests.integration.store.billed import BERLIN, DAY_BEFORE_DST, DAYS, Bill, billed_calls
from tests.integration.store.filled import batch_of

from watchkeeper.core.call import Call
from watchkeeper.store.analytics import AnalyticsStore
from watchkeeper.store.cost_rows import CostScope, Dimension, Spend
from watchkeeper.store.exports import ExportFormat

ALL = CostScope(since=DAY_BEFORE_DST, until=DAY_BEFORE_DST + timedelta(days=DAYS))
NONE = CostScope(since=ALL.until, until=ALL.until + timedelta(days=1))
BY: tuple[Dimension, ...] = ("tenant", "tag", "hour", "week")
NUSD = 10**9
FORMULA = ("=", "+", "-", "@", "\t", "\r")


class Exported:
    """A store, and what should be in a table of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "analytics"
        self.store = AnalyticsStore.open(f"chdb://{self.folder}")
        self.bill = Bill(billed_calls(1_200))
        for place, call in enumerate(self.bill.calls):
            call.value_milli = place if place % 3 == 0 else None
            call.saved_nusd = place if place % 5 == 0 else None
        self.store.insert_calls(batch_of(self.bill.calls), token="all")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exported]:
    # A folder may have any name.
    found = Exported(tmp_path_factory.mktemp("it's \\ an export"))
    yield found
    found.store.close()


async def whole(pieces: AsyncIterator[bytes]) -> bytes:
    return b"".join([piece async for piece in pieces])


def read(content: bytes, form: ExportFormat) -> list[dict[str, Any]]:
    """Rows as another program reads them."""
    if form == "csv":
        return list(csv.DictReader(io.StringIO(content.decode(), newline="")))
    rows: list[dict[str, Any]] = pyarrow.parquet.read_table(io.BytesIO(content)).to_pylist()
    return rows


def shown(text: str, form: ExportFormat) -> str:
    """A text as it stands in the table."""
    return f"'{text}" if form == "csv" and text.startswith(FORMULA) else text


def dollars(value: object) -> int | None:
    """Nano-dollars of an amount; None for an empty cell."""
    return None if value in ("", None) else int(Decimal(str(value)) * NUSD)


@pytest.mark.parametrize("form", ["csv", "parquet"])
async def test_groups_are_read_back_as_they_are(exported: Exported, form: ExportFormat) -> None:
    expected = exported.bill.by(*BY, tz=BERLIN)
    rows = read(await whole(exported.store.exports.groups(ALL, BY, tz=BERLIN, form=form)), form)
    assert list(rows[0])[: len(BY)] == list(BY)
    found = {tuple(_name(row[name]) for name in BY): row for row in rows}
    assert len(found) == len(rows) == len(expected)
    for names, spend in expected.items():
        _compare(found[tuple(shown(name, form) for name in names)], spend)
    costs = [dollars(row["cost_usd"]) or 0 for row in rows]
    assert costs == sorted(costs, reverse=True)


def _name(value: object) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)


def _compare(row: dict[str, Any], spend: Spend) -> None:
    for name in ("calls", "input_tokens", "output_tokens", "cached_tokens", "uncounted_calls", "unpriced_calls"):
        assert int(row[name]) == getattr(spend, name)
    assert dollars(row["cost_usd"]) == spend.cost_nusd
    assert dollars(row["estimated_usd"]) == spend.estimated_nusd
    assert dollars(row["disputed_usd"]) == spend.disputed_nusd


@pytest.mark.parametrize("form", ["csv", "parquet"])
async def test_calls_are_read_back_as_they_are(exported: Exported, form: ExportFormat) -> None:
    rows = read(await whole(exported.store.exports.calls(ALL, form=form)), form)
    calls = {call.id: call for call in exported.bill.calls}
    assert sorted(row["call_id"] for row in rows) == sorted(calls)
    for row in rows:
        _compare_call(row, calls[row["call_id"]], form)


def _compare_call(row: dict[str, Any], call: Call, form: ExportFormat) -> None:
    names = ("feature", "tenant", "subject", "session", "environment", "release", "route", "status")
    assert [row[name] for name in names] == [shown(getattr(call, name), form) for name in names]
    assert row["key"] == call.key_id
    assert json.loads(row["tags"]) == call.tags
    assert dollars(row["cost_usd"]) == call.cost_nusd
    assert row["cost_status"] == call.cost_status
    assert dollars(row["saved_usd"]) == call.saved_nusd
    units = None if row["value_units"] in ("", None) else int(Decimal(str(row["value_units"])) * 1000)
    assert units == call.value_milli
    counted = row["input_tokens"] not in ("", None)
    assert counted == (call.usage_status != "missing")
    assert not counted or call.usage is None or int(row["input_tokens"]) == call.usage.input_tokens
    started = row["started_at"]
    moment = datetime.fromisoformat(started).replace(tzinfo=UTC) if isinstance(started, str) else started
    assert moment == datetime.fromtimestamp(call.started_ns // 1000 / 1e6, UTC)


async def test_money_in_a_parquet_file_is_decimal_and_never_a_float(exported: Exported) -> None:
    content = await whole(exported.store.exports.calls(ALL, form="parquet"))
    schema = pyarrow.parquet.read_schema(io.BytesIO(content))
    for name in ("cost_usd", "saved_usd", "value_units"):
        assert pyarrow.types.is_decimal(schema.field(name).type)
    table = pyarrow.parquet.read_table(io.BytesIO(content))
    total = sum(one for one in table.column("cost_usd").to_pylist() if one is not None)
    assert int(total * NUSD) == exported.bill.total().cost_nusd


async def test_a_formula_in_a_csv_file_is_text_to_a_spreadsheet(exported: Exported) -> None:
    rows = read(await whole(exported.store.exports.calls(ALL, form="csv")), "csv")
    by_first: dict[str, int] = defaultdict(int)
    for row in rows:
        for cell in row.values():
            by_first[cell[:1]] += 1
    assert by_first["'"] > 0
    assert [by_first[first] for first in FORMULA] == [0] * len(FORMULA)


@pytest.mark.parametrize("form", ["csv", "parquet"])
async def test_an_empty_period_is_a_table_without_rows(exported: Exported, form: ExportFormat) -> None:
    for pieces in (
        exported.store.exports.calls(NONE, form=form),
        exported.store.exports.groups(NONE, ("feature",), tz="UTC", form=form),
    ):
        content = await whole(pieces)
        assert content
        assert read(content, form) == []


async def test_an_export_comes_in_pieces_and_leaves_nothing_behind(exported: Exported) -> None:
    pieces = exported.store.exports.calls(ALL, form="csv")
    assert len(await anext(pieces)) <= 256 * 1024
    assert not (exported.folder / "exports").exists()
    await pieces.aclose()  # type: ignore[attr-defined]  # the reader has left


async def test_what_a_dead_process_left_is_removed(exported: Exported) -> None:
    left = exported.folder / "exports"
    left.mkdir()
    (left / "rows").write_text("half an export")
    assert (await whole(exported.store.exports.calls(NONE, form="csv"))).startswith(b'"call_id"')
    assert not left.exists()
