"""`watchkeeper cost` and `value`, over a keeper's socket and without a keeper."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet
import pytest
from tests.integration.control.commands import Command, Keeper, LoneCommand, new_folder
from tests.integration.control.recorded import a_call

from watchkeeper.core.call import Call
from watchkeeper.core.clock import Clock
from watchkeeper.core.ids import CallIds
from watchkeeper.core.money import Charge
from watchkeeper.core.usage import Usage

MILLION = Usage(10**6)
"""At gpt-4o-mini: $0.15."""


def made(ids: CallIds, clock: Clock) -> dict[str, Call]:
    return {
        "good": a_call(
            ids,
            clock,
            usage=MILLION,
            tags=["vip", "evil\x1b[2J"],
            charges=[Charge("a-dollar|support", "a-dollar", "nusd", 400_000_000, 150_000_000, 150_000_000)],
            budget_notes=["would_refuse quiet"],
        ),
        "search": a_call(ids, clock, usage=Usage(2 * 10**6), feature="search"),
        "left": a_call(ids, clock, usage=MILLION, usage_status="estimated", status="cancelled"),
    }


@pytest.fixture(scope="module")
def keeper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keeper]:
    found = Keeper(tmp_path_factory.mktemp("k"), made)
    found.start()
    assert found.is_ready.wait(30)
    yield found
    found.stop()


@pytest.fixture
def data(keeper: Keeper) -> Path:
    return keeper.folder.root


def test_why_a_call_cost_what_it_did_is_told_down_to_the_rate(wk: Command, keeper: Keeper, data: Path) -> None:
    assert wk("cost", "why", keeper.calls["good"].id, data=data) == 0, wk.err
    assert "$0.15 (measured)" in wk.out and "genai-prices" in wk.out
    assert "1,000,000  x  $0.15 a million  =  $0.15" in wk.out
    assert "a-dollar|support: $0.15, $0.4 held" in wk.out
    assert "would have been refused by quiet, which is in shadow" in wk.out
    assert wk("cost", "why", keeper.calls["left"].id, data=data) == 0, wk.err
    assert "Charged to no budget" in wk.out
    assert wk("cost", "why", "nonsense", data=data) == 3


def rows(text: str) -> list[list[str]]:
    return [line.split("\t") for line in text.splitlines()]


def test_cost_is_told_by_feature_with_its_owner(wk: Command, data: Path) -> None:
    assert wk("cost", data=data) == 0, wk.err
    assert [row[:3] + row[6:] for row in rows(wk.out)] == [
        ["support", "nobody", "2", "0.3", "0.15", "0"],
        ["search", "nobody", "1", "0.3", "0", "0"],
    ]
    assert "$0.60, of which $0.15 estimated" in wk.err
    assert "no cost owner is named for support, search" in wk.err


def test_any_dimensions_any_conditions(wk: Command, data: Path) -> None:
    found = wk.json(
        "cost", "--by", "feature,status", "--where", "feature=support", "--where", "status=ok", "--top", "1", data=data
    )
    assert isinstance(found, dict)
    assert [group["names"] for group in found["groups"]] == [{"feature": "support", "status": "ok"}]
    assert wk("cost", "--by", "tag", data=data) == 0
    assert "\x1b" not in wk.out
    assert "each of its tags" in wk.err


def test_a_span_and_a_beginning_contradict_each_other(wk: Command, data: Path) -> None:
    assert wk("cost", "--last", "7d", "--from", "2026-10-01", data=data) == 2
    assert wk("cost", "--from", "2026-10-02", "--to", "2026-10-01", data=data) == 1
    assert "ends" in wk.err and "nothing was counted" in wk.err


def test_the_last_line_of_a_comparison_adds_up(wk: Command, data: Path) -> None:
    assert wk("cost", "compare", "9d..8d", "1d..", "--by", "feature", data=data) == 0, wk.err
    label, first, second, difference, *parts = rows(wk.out)[-1]
    assert (label, first, second, difference) == ("all", "0", "0.6", "0.6")
    assert sum(map(Decimal, parts)) == Decimal(difference)
    assert wk("cost", "compare", "october", "2026-10", data=data) == 1
    assert "is no period" in wk.err


def test_waste_is_told_by_kind(wk: Command, data: Path) -> None:
    assert wk("cost", "waste", data=data) == 0, wk.err
    assert ["abandoned", "support", "nobody", "1", "0.15", "0.15", "0"] in rows(wk.out)
    assert "the cache saved $0" in wk.err


def test_value_is_reported_and_divides_the_cost(wk: Command, data: Path, keeper: Keeper) -> None:
    call_id = keeper.calls["search"].id
    for _ in range(2):
        assert wk("value", "add", "4", "--call", call_id, "--id", "once", data=data) == 0, wk.err
        assert "4 units" in wk.out
    assert wk("value", "add", "1", "--feature", "search", data=data) == 0, wk.err
    assert wk("cost", "units", data=data) == 0, wk.err
    assert ["search", "not declared", "nobody", "1", "0.3", "5", "0.06", "measured"] in rows(wk.out)
    assert wk("value", "add", "5", "--call", call_id, "--id", "once", data=data) == 1
    assert wk("value", "add", "5", data=data) == 1
    assert "name either a call or a feature" in wk.err


def test_tables_are_written_whole_or_not_at_all(wk: Command, data: Path, tmp_path: Path) -> None:
    table = tmp_path / "cost.parquet"
    assert wk("cost", "export", str(table), "--by", "feature,day", data=data) == 0, wk.err
    assert pyarrow.parquet.read_table(table).column("calls").to_pylist() == [2, 1]
    calls = tmp_path / "calls.csv"
    done = wk.json("cost", "export", str(calls), "--calls", data=data)
    assert done == {"file": str(calls), "format": "csv", "bytes": calls.stat().st_size}
    before = calls.read_bytes()
    assert len(before.splitlines()) == 4
    assert wk("cost", "export", str(calls), "--calls", "--tz", "Mars/Base", data=data) == 1
    assert calls.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["calls.csv", "cost.parquet"]


def test_a_table_without_a_known_ending_or_folder_is_refused(wk: Command, data: Path, tmp_path: Path) -> None:
    assert wk("cost", "export", str(tmp_path / "cost.xlsx"), data=data) == 2
    assert wk("cost", "export", str(tmp_path / "no" / "cost.csv"), data=data) == 1
    assert "cannot be written" in wk.err
    assert wk("cost", "export", str(tmp_path / "cost.csv"), "--calls", "--by", "model", data=data) == 2


def test_without_a_keeper_the_stores_are_asked_and_owners_are_those_of_the_file(
    lone_wk: LoneCommand, tmp_path: Path
) -> None:
    keeper = tmp_path / "data"
    config = tmp_path / "watchkeeper.yaml"
    config.write_text("features:\n  support: {owner: ana, cost_owner: finance, unit_of_value: answer}\n")
    folder = new_folder(keeper)
    folder.last_config.write_text(str(config))
    assert lone_wk("value", "add", "2", "--feature", "support", data=keeper) == 0, lone_wk.err
    found = lone_wk.json("cost", "units", data=keeper)
    assert isinstance(found, dict)
    (support,) = found["features"]
    assert (support["cost_owner"], support["unit_of_value"], support["units"]) == ("finance", "answer", "2")
    table = tmp_path / "calls.csv"
    assert lone_wk("cost", "export", str(table), "--calls", data=keeper) == 0, lone_wk.err
    assert table.read_text().startswith('"call_id"')
