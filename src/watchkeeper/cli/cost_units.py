"""`watchkeeper cost units`: what a unit of value costs."""

from watchkeeper.cli import client, show
from watchkeeper.cli.cost import Last, Since, Tz, Until, Where, amount, name_or_none, period, spoken
from watchkeeper.cli.options import DATA_DEFAULT, Data, Json
from watchkeeper.cli.show import Column

_COLUMNS = (
    Column("feature", shrinks_to=16),
    Column("unit of value", shrinks_to=16),
    Column("cost owner", leaves=1),
    Column("calls", is_right=True, leaves=2),
    Column("cost $", is_right=True),
    Column("units", is_right=True),
    Column("$ per unit", is_right=True),
    Column("status"),
)


def units(
    *,
    from_: Since = "",
    to: Until = "",
    last: Last = "",
    tz: Tz = "UTC",
    where: Where = (),
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """Say what a unit of value of each feature costs: the cost of all its calls over its units."""
    found = client.get(data, "/api/v1/cost/units", **period(from_, to, last, tz, where))
    if json:
        show.document(found)
        return
    show.table(
        _COLUMNS,
        [
            (
                name_or_none(one["feature"]),
                one["unit_of_value"] or "not declared",
                one["cost_owner"] or "nobody",
                str(one["spend"]["calls"]),
                amount(one["spend"]["cost_usd"]),
                one["units"],
                one["cost_per_unit_usd"] or "",
                one["status"],
            )
            for one in found["features"]
        ],
    )
    show.note(spoken(found))
