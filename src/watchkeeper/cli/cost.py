"""`watchkeeper cost`: what calls cost, by any dimensions."""

from typing import Annotated, Any

from cyclopts import Parameter, validators

from watchkeeper.cli import client, show
from watchkeeper.cli.options import DATA_DEFAULT, Data, Json
from watchkeeper.cli.outcome import WRONG_USAGE, CommandFailed
from watchkeeper.cli.show import Column
from watchkeeper.cli.table import group_of

TOP_MAX = 10_000

Since = Annotated[str, Parameter(name="--from", help="A day or a time (2026-10-25, 2026-10-25T14:00).")]
Until = Annotated[str, Parameter(name="--to", help="As --from; the end is not included.")]
Last = Annotated[str, Parameter(help="A span back from now instead: 24h, 7d, 4w. Without any, 7d.")]
Tz = Annotated[str, Parameter(help="Time zone of times and of hours, days, weeks and months.")]
Where = Annotated[
    tuple[str, ...],
    Parameter(negative="", help="DIMENSION=VALUE, such as tenant=acme; may be given several times."),
]
By = Annotated[
    str,
    Parameter(
        help="feature, tenant, subject, key, model, provider, release, environment, tag, session, route, status, hour, "
        "day, week, month; several with commas between them."
    ),
]
Top = Annotated[int, Parameter(help="Groups to list.", validator=validators.Number(gte=1, lte=TOP_MAX))]


def cost(
    *,
    by: By = "feature",
    from_: Since = "",
    to: Until = "",
    last: Last = "",
    tz: Tz = "UTC",
    where: Where = (),
    top: Top = 20,
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """Say what calls cost, the dearest first."""
    found = client.get(data, "/api/v1/cost", by=by, limit=top, **period(from_, to, last, tz, where))
    if json:
        show.document(found)
        return
    show.table(_columns(found["by"]), _rows(found))
    show.note(f"{spoken(found)}: {found['total']['words']}")
    if found["counts_overlap"]:
        show.note("a call counts under each of its tags; the groups add up to more than the total")
    if found["without_cost_owner"]:
        show.note(f"no cost owner is named for {', '.join(map(name_or_none, found['without_cost_owner']))}")


def period(since: str, until: str, last: str, tz: str, where: tuple[str, ...]) -> dict[str, Any]:
    """Turn the options that say which calls are meant into what the API asks.

    Raises:
        CommandFailed: a span and a beginning are given.
    """
    if last and (since or until):
        raise CommandFailed("--last stands in place of --from and --to. Give either.", exit_code=WRONG_USAGE)
    return {"since": since or last, "until": until, "tz": tz, "where": where}


def spoken(found: dict[str, Any]) -> str:
    """Say which time an answer is about."""
    return f"{found['since'][:19].replace('T', ' ')} to {found['until'][:19].replace('T', ' ')} UTC"


def name_or_none(name: str) -> str:
    """Write a name; an empty one in words."""
    return name or "(none)"


def amount(dollars: str | None) -> str:
    """Write an amount; one that is not known in a word."""
    return "unpriced" if dollars is None else dollars


def _columns(by: list[str]) -> tuple[Column, ...]:
    names = [Column(name, shrinks_to=16) for name in by]
    owner = [Column("cost owner", leaves=5)] if "feature" in by else []
    return (
        *names,
        *owner,
        Column("calls", is_right=True),
        Column("in", is_right=True, leaves=3),
        Column("out", is_right=True, leaves=4),
        Column("cached", is_right=True, leaves=1),
        Column("cost $", is_right=True),
        Column("estimated $", is_right=True, leaves=6),
        Column("unpriced", is_right=True, leaves=2),
    )


def _rows(found: dict[str, Any]) -> list[tuple[str, ...]]:
    is_owned = "feature" in found["by"]
    rows = [
        (*map(name_or_none, group["names"].values()), *([group["cost_owner"] or "nobody"] if is_owned else []),
         *_figures(group["spend"]))
        for group in found["groups"]
    ]  # fmt: skip
    if found["other"] is not None:
        label = [f"other ({found['other']['groups']:,})", *[""] * (len(found["by"]) - 1 + is_owned)]
        rows.append((*label, *_figures(found["other"]["spend"])))
    return rows


def _figures(spend: dict[str, Any]) -> tuple[str, ...]:
    counts = (spend[name] for name in ("input_tokens", "output_tokens", "cached_tokens"))
    return (
        str(spend["calls"]),
        *map(str, counts),
        amount(spend["cost_usd"]),
        spend["estimated_usd"],
        str(spend["unpriced_calls"]),
    )


group = group_of("cost")
group.default(cost)
