"""`watchkeeper eval schedule`: suites that are run again and again."""

from typing import Annotated, Any

from cyclopts import App, Parameter

from watchkeeper.cli import client, show
from watchkeeper.cli.options import DATA_DEFAULT, Data, Json
from watchkeeper.cli.show import Column
from watchkeeper.core.money import nusd, usd

_PATH = "/api/v1/evals/schedules"
_SCHEDULES = (
    Column("schedule", shrinks_to=16), Column("suite", shrinks_to=12), Column("asks", shrinks_to=10), Column("cron"),
    Column("tz", leaves=3), Column("next (UTC)"), Column("last (UTC)", leaves=1), Column("result", is_state=True),
    Column("run"), Column("by", leaves=2),
)  # fmt: skip

Name = Annotated[str, Parameter(help="Name of a schedule.")]


def list_(*, data: Data = DATA_DEFAULT, json: Json = False) -> None:
    """List the schedules: when each is due next, and what came of it last."""
    found = client.get(data, _PATH)
    if json:
        show.document(found)
        return
    show.table(_SCHEDULES, [_row(one) for one in found["schedules"]])


def add(
    suite: Annotated[str, Parameter(help="FEATURE/NAME of a suite that is kept.")],
    cron: Annotated[str, Parameter(help='When: minute, hour, day, month, weekday; "0 6 * * *".')],
    *,
    tz: Annotated[str, Parameter(help="Time zone of the times.")] = "UTC",
    name: Annotated[str, Parameter(help="By default made of the suite and of whom it asks.")] = "",
    env: Annotated[str, Parameter(help="Ask what is live in this environment.")] = "",
    release: Annotated[str, Parameter(help="Ask this release.")] = "",
    model: Annotated[str, Parameter(help="Ask a route, or provider/model.")] = "",
    baseline: Annotated[
        str, Parameter(help="previous, none, an environment, a release, a model, or run-...")
    ] = "previous",
    cap: Annotated[str, Parameter(help="What one run may cost: 2.50 (US dollars, judges included).")] = "",
    repeats: Annotated[int | None, Parameter(help="Ask each case so often.")] = None,
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """Have a suite run again and again; it is compared with its last run, and an alert tells when it gets worse."""
    wish = {
        "suite": suite, "cron": cron, "tz": tz, "name": name or None, "env": env, "release": release, "model": model,
        "baseline": baseline, "cap_nusd": nusd(cap) if cap else None, "repeats": repeats,
    }  # fmt: skip
    added = client.post(data, _PATH, **wish)
    if json:
        show.document(added)
    else:
        show.line(f"added {added['name']}; it runs first at {_moment(added['next_due'])} UTC")


def remove(name: Name, *, data: Data = DATA_DEFAULT, json: Json = False) -> None:
    """Remove a schedule; a run of it that is under way goes on."""
    client.delete(data, f"{_PATH}/{client.part(name)}")
    if json:
        show.document({"removed": name})
    else:
        show.line(f"removed {name}; its runs stay")


def run(name: Name, *, data: Data = DATA_DEFAULT, json: Json = False) -> None:
    """Have the keeper run a schedule now, beside its times."""
    begun = client.post(data, f"{_PATH}/{client.part(name)}/run")
    if json:
        show.document(begun)
    else:
        show.line(f"the keeper runs {name}; `watchkeeper eval schedule show {name}` tells how it goes")


def show_(
    name: Name,
    *,
    limit: Annotated[int, Parameter(help="So many at most.")] = 20,
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """List the times that a schedule was due, the latest first, with what came of each."""
    found = client.get(data, f"{_PATH}/{client.part(name)}/firings", limit=limit)
    if json:
        show.document(found)
        return
    columns = (Column("due (UTC)"), Column("result", is_state=True), Column("run"), Column("why", shrinks_to=30))
    show.table(columns, [_firing(one) for one in found["firings"]])


def accept(
    name: Name,
    *,
    run: Annotated[str, Parameter(help="Id of a run; by default the last that came to its end.")] = "",
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """Have further runs be held against this one as well, so that a slow decline shows."""
    accepted = client.post(data, f"{_PATH}/{client.part(name)}/accept", run=run)
    if json:
        show.document(accepted)
    else:
        show.line(f"further runs of {name} are held against {accepted['run']} as well")


def _row(one: dict[str, Any]) -> tuple[str, ...]:
    last = one["last"] or {}
    cap = f" up to ${usd(one['cap_nusd'])}" if one["cap_nusd"] else ""
    return (
        one["name"], one["suite"], (one["candidate"] or "the latest release") + cap, one["cron"], one["tz"],
        _moment(one["next_due"]), _moment(last.get("due_at")), _result(last), last.get("run", ""), one["by"],
    )  # fmt: skip


def _firing(one: dict[str, Any]) -> tuple[str, ...]:
    facts = one["facts"]
    reasons = [facts.get("failure", ""), *facts.get("reasons", ()), *facts.get("accepted_reasons", ())]
    return _moment(one["due_at"]), _result(one), one["run"], next((text for text in reasons if text), "")


def _result(firing: dict[str, Any]) -> str:
    if not firing:
        return ""
    shown = {firing["result"], firing["facts"].get("accepted_result", "")} - {""}
    return (
        firing["status"]
        if firing["status"] != "finished"
        else "regression"
        if "regression" in shown
        else (firing["result"] or "finished")
    )


def _moment(text: str | None) -> str:
    return text[:16].replace("T", " ") if text else ""


schedule = App(name="schedule", help_format="plaintext", result_action="return_value")
for _command, _about in (
    (list_, "List the schedules."),
    (add, "Have a suite run again and again."),
    (show_, "List the times that a schedule was due, with what came of each."),
    (run, "Have the keeper run a schedule now."),
    (accept, "Have further runs be held against one of its runs as well."),
    (remove, "Remove a schedule."),
):
    schedule.command(_command, name=_command.__name__.rstrip("_"), help=_about)
