"""`watchkeeper cost compare`: why the cost of two periods differs."""

from typing import Any

from watchkeeper.cli import client, show
from watchkeeper.cli.cost import By, Top, Tz, Where, amount, name_or_none, spoken
from watchkeeper.cli.options import DATA_DEFAULT, Data, Json
from watchkeeper.cli.show import Column

_EFFECTS = ("price", "volume", "mix", "efficiency")


def compare(
    first: str,
    second: str,
    *,
    by: By = "model",
    tz: Tz = "UTC",
    where: Where = (),
    top: Top = 20,
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """Split the difference between two periods into price, volume, mix and efficiency.

    A period is a day (2026-10-25), a week (2026-W43), a month (2026-10), or FROM..TO.
    """
    found = client.get(data, "/api/v1/cost/compare", first=first, second=second, by=by, tz=tz, where=where, limit=top)
    if json:
        show.document(found)
        return
    columns = (
        *(Column(name, shrinks_to=16) for name in found["by"]),
        Column("first $", is_right=True, leaves=1),
        Column("second $", is_right=True, leaves=2),
        Column("difference $", is_right=True),
        *(Column(f"{name} $", is_right=True) for name in _EFFECTS),
    )
    show.table(columns, _rows(found))
    for name in ("first", "second"):
        show.note(f"{name}: {spoken(found[name])}: {found[name]['spend']['words']}")
    show.note("price, volume, mix and efficiency add up to the difference; calls without a price take no part in it")


def _rows(found: dict[str, Any]) -> list[tuple[str, ...]]:
    width = len(found["by"])
    rows = [
        (
            *map(name_or_none, group["names"].values()),
            *_costs(group["first"], group["second"]),
            *_parts(group["effects"]),
        )
        for group in found["groups"]
    ]
    if found["other"] is not None:
        rows.append(
            (*_label(f"other ({found['other']['groups']:,})", width), "", "", *_parts(found["other"]["effects"]))
        )
    costs = _costs(found["first"]["spend"], found["second"]["spend"])
    rows.append((*_label("all", width), *costs, *_parts(found["effects"])))
    return rows


def _label(text: str, width: int) -> tuple[str, ...]:
    return (text, *[""] * (width - 1))


def _costs(*spends: dict[str, Any]) -> tuple[str, ...]:
    return tuple(amount(spend["cost_usd"]) for spend in spends)


def _parts(effects: dict[str, str]) -> tuple[str, ...]:
    return tuple(effects[f"{name}_usd"] for name in ("difference", *_EFFECTS))
