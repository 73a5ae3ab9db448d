"""`watchkeeper cost waste`: what was paid for nothing, and what was saved."""

from watchkeeper.cli import client, show
from watchkeeper.cli.cost import Last, Since, Tz, Until, Where, name_or_none, period, spoken
from watchkeeper.cli.options import DATA_DEFAULT, Data, Json
from watchkeeper.cli.show import Column

_COLUMNS = (
    Column("waste"),
    Column("feature", shrinks_to=16),
    Column("cost owner", leaves=1),
    Column("calls", is_right=True),
    Column("cost $", is_right=True),
    Column("uncertain $", is_right=True, leaves=2),
    Column("unpriced", is_right=True, leaves=3),
)


def waste(
    *,
    from_: Since = "",
    to: Until = "",
    last: Last = "",
    tz: Tz = "UTC",
    where: Where = (),
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """Say what was paid for nothing, by kind and feature, and what cache and routing saved."""
    found = client.get(data, "/api/v1/cost/waste", **period(from_, to, last, tz, where))
    if json:
        show.document(found)
        return
    rows: list[tuple[str, ...]] = []
    for line in found["waste"]:
        parts = [(name_or_none(one["feature"]), one["cost_owner"] or "nobody", one) for one in line["features"]]
        for feature, owner, one in (*parts, ("all", "", line["total"])):
            figures = (str(one["calls"]), one["cost_usd"], one["uncertain_usd"], str(one["unpriced_calls"]))
            rows.append((line["kind"], feature, owner, *figures))
    show.table(_COLUMNS, rows)
    cache, routing = found["savings"]["cache"], found["savings"]["routing"]
    show.note(f"{spoken(found)}; " + "; ".join(f"{line['kind']}: {line['about']}" for line in found["waste"]))
    show.note(f"the cache saved ${cache['saved_usd']} on {cache['calls']:,} calls")
    show.note(
        f"routing saved ${routing['saved_usd']} ({routing['status']}) on {routing['calls']:,} calls against the "
        f"dearest target of their routes; {routing['uncompared_calls']:,} calls could not be compared"
    )
