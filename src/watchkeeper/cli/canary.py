"""`watchkeeper canary`: models that are asked the same again and again."""

from typing import Annotated, Any

from cyclopts import Parameter

from watchkeeper.cli import client, show
from watchkeeper.cli.options import DATA_DEFAULT, Data, Json
from watchkeeper.cli.show import Column

WITHIN_S = 600.0

_CANARIES = (
    Column("model", shrinks_to=16),
    Column("every"),
    Column("a day (USD)", is_right=True, leaves=2),
    Column("last (UTC)"),
    Column("is", is_state=True),
    Column("in words", shrinks_to=20, leaves=1),
)
_ROUNDS = (
    Column("id", is_right=True),
    Column("at (UTC)"),
    Column("is", is_state=True),
    Column("answers", is_right=True),
    Column("usual ones", is_right=True),
    Column("distance", is_right=True),
    Column("p", is_right=True),
    Column("cost (USD)", is_right=True, leaves=1),
    Column("by", leaves=2),
)

Model = Annotated[str, Parameter(help="As the configuration names it under `canaries`.")]


def list_(*, data: Data = DATA_DEFAULT, json: Json = False) -> None:
    """List the models that are watched, and what their last round came to."""
    found = client.get(data, "/api/v1/canaries")
    if json:
        show.document(found)
        return
    show.table(_CANARIES, [_canary_row(one) for one in found["canaries"]])


def show_(
    model: Model,
    *,
    limit: Annotated[int, Parameter(help="At most so many rounds.")] = 30,
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """Show a model's rounds, the newest first, and what it answers otherwise."""
    found = client.get(data, "/api/v1/canaries/rounds", model=model, limit=limit)
    if json:
        show.document(found)
        return
    show.table(_ROUNDS, [_round_row(one) for one in found["rounds"]])
    if found["rounds"]:
        _print_verdict(found["rounds"][0]["verdict"])


def run(model: Model, *, data: Data = DATA_DEFAULT, json: Json = False) -> None:
    """Ask a model its prompts now, whatever its schedule and budget say."""
    found = client.post_patiently(data, "/api/v1/canaries/run", within_s=WITHIN_S, model=model)
    if json:
        show.document(found)
        return
    show.line(f"{found['answers'] - found['failed']} of {found['answers']} answers, {_cost(found)} USD")
    show.line(f"{found['verdict']['status']}: {show.plain(found['verdict']['reason'])}")
    _print_verdict(found["verdict"])


def accept(
    model: Model,
    *,
    reason: Annotated[str, Parameter(help="Kept with it.")] = "",
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """Say that a model answers as it should: it is held to its answers from its last round on."""
    found = client.post(data, "/api/v1/canaries/accept", model=model, reason=reason)
    if json:
        show.document(found)
        return
    show.line(
        f"{model} is held to its answers from round {found['rounds'][0]['id']} on; it learns anew from four rounds"
    )


def _canary_row(one: dict[str, Any]) -> tuple[str, ...]:
    last = one["last"]
    every = "" if one["every_s"] is None else f"{one['every_s'] / 3600:g} h"
    verdict = last["verdict"] if last else {"status": "never asked", "reason": ""}
    return (
        one["model"], every, one["budget_usd"] or "", last["at"][:16].replace("T", " ") if last else "",
        verdict["status"], verdict["reason"],
    )  # fmt: skip


def _round_row(one: dict[str, Any]) -> tuple[str, ...]:
    verdict = one["verdict"]
    p = verdict["p"]
    return (
        str(one["id"]), one["at"][:16].replace("T", " "), verdict["status"],
        f"{one['answers'] - one['failed']} of {one['answers']}",
        "" if verdict["agreement"] is None else f"{100 * verdict['agreement']:.0f} %",
        "" if verdict["distance"] is None else f"{verdict['distance']:.2f}",
        "" if p is None else "< 0.0001" if p < 0.0001 else f"{p:.2g}", _cost(one), one["by"],
    )  # fmt: skip


def _print_verdict(verdict: dict[str, Any]) -> None:
    for one in verdict["moved"]:
        show.line(f"- {one['prompt']}: {show.plain(one['before'])!r}, now {show.plain(one['after'])!r}")
    for said in verdict["metadata"]:
        show.line(f"- {show.plain(said)}")


def _cost(one: dict[str, Any]) -> str:
    return one["cost_usd"] if one["cost_usd"] is not None else "unpriced"
