"""`watchkeeper prices`."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from watchkeeper.cli import client
from watchkeeper.cli import show as shown
from watchkeeper.cli.options import DATA_DEFAULT, Data, Json
from watchkeeper.cli.outcome import SET_UP, WRONG_USAGE, CommandFailed
from watchkeeper.cli.show import Column

CHANGES_SHOWN = 200
"""Of a diff; `--json` has all of them."""
DAYS_MAX = 3_660
_TOTALS = ("calls", "corrected", "newly_priced", "without_price")
_AMOUNTS = ("old_usd", "new_usd", "delta_usd")
_LISTS = (Column("list"), Column("models", is_right=True), Column("corrected", is_right=True), Column("recorded"))
_UNITS = (Column("unit"), Column("USD per million", is_right=True), Column("for long inputs", leaves=1))

File = Annotated[
    Path | None, Parameter(help="Your own prices, YAML or JSON; without one, the edition that is installed.")
]


def list_(*, data: Data = DATA_DEFAULT, json: Json = False) -> None:
    """List the price lists, and where the price book stands."""
    found = client.get(data, "/api/v1/prices")
    if json:
        shown.document(found)
        return
    shown.table(
        _LISTS,
        [
            (one["name"], f"{one['models']}", f"{one['corrections']}", _day(one["recorded_at"]))
            for one in found["lists"]
        ],
    )
    state = found["state"]
    if not state["revision"]:
        shown.note("there is no price book yet; it begins with the first `watchkeeper up`")
    elif not state["is_current"]:
        shown.note(
            f"{state['installed']} is installed and prices are those of {state['edition']}; "
            "`watchkeeper prices diff` shows what would change"
        )


def show(
    model: Annotated[str, Parameter(help="As it is sent to the provider.")],
    *,
    list_: Annotated[str, Parameter(name="--list", help="Only this price list.")] = "",
    provider: Annotated[str, Parameter(help="A provider of the configuration, with its overrides.")] = "",
    at: Annotated[str, Parameter(help="When the call is made: a day, or a time.")] = "",
    as_of: Annotated[str, Parameter(help="The prices as they were known then: a day, or a time.")] = "",
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """Show the rows that hold for a model, where they come from and when they were written down."""
    moments = {
        name: _moment(f"--{name.replace('_', '-')}", text).isoformat()
        for name, text in (("at", at), ("as_of", as_of))
        if text
    }
    query: dict[str, Any] = {"model": model, "list": list_, "provider": provider} | moments
    found = client.get(data, "/api/v1/prices/model", **query)
    if json:
        shown.document(found)
        return
    for number, row in enumerate(found["prices"]):
        if number:
            shown.line("")
        tier = f", {row['service_tier']} tier" if row["service_tier"] else ""
        shown.heading(f"{row['price_list']}{tier}{_validity(row)}")
        shown.table(_UNITS, _units(row["units"]))
        if Decimal(row["request_usd"]):
            shown.line(f"each call: {row['request_usd']} USD")
        shown.line(_origin(row))


def diff(file: File = None, *, data: Data = DATA_DEFAULT, json: Json = False) -> None:
    """Show what an update would change, in words and per cent; nothing is changed."""
    found = client.post(data, "/api/v1/prices/diff", **_given(file))
    if json:
        shown.document(found)
        return
    _changes(found)
    for doubt in found["doubts"]:
        shown.note(f"{doubt}; `prices apply` refuses that without --force")
    if found["changes"] or found["list_changes"]:
        shown.line(f"{_counts(found)}; `watchkeeper prices apply{f' {file}' if file else ''}` approves it")


def apply(
    file: File = None,
    *,
    force: Annotated[bool, Parameter(negative="", help="Although it changes uncommonly much.")] = False,
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """Approve an update: its prices are believed from now on, and calls of the days they speak of cost that."""
    found = client.post(data, "/api/v1/prices/apply", force=force, **_given(file))
    if json:
        shown.document(found)
        return
    if found["applied"] is None:
        shown.line(f"{found['source']} says what the price book says already; nothing was changed")
        return
    _changes(found)
    shown.line(f"applied {_counts(found)}; the price book has revision {found['applied']}")


def recompute(
    *,
    since: Annotated[str, Parameter(name="--from", help="First day (midnight UTC), or a time.")],
    until: Annotated[str, Parameter(name="--to", help="The day after the last (midnight UTC), or a time; excluded.")],
    feature: Annotated[str, Parameter(help="Only its calls.")] = "",
    dry_run: Annotated[bool, Parameter(name="--dry-run", negative="", help="Write nothing down.")] = False,
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """Price stored calls by what is known of prices now; a correction is written beside each that cost another sum."""
    begin, end = _moment("--from", since), _moment("--to", until)
    if not timedelta() < end - begin <= timedelta(days=DAYS_MAX):
        raise CommandFailed(
            f"--to must lie after --from, by at most {DAYS_MAX} days; no call was priced again.", exit_code=WRONG_USAGE
        )
    total: dict[str, Any] = dict.fromkeys(_TOTALS, 0) | {name: Decimal() for name in _AMOUNTS}
    while begin < end:
        stop = min(end, begin + timedelta(days=1))
        part = {"since": begin.isoformat(), "until": stop.isoformat(), "feature": feature, "dry_run": dry_run}
        found = client.post(data, "/api/v1/prices/recompute", **part)
        total |= {name: total[name] + found[name] for name in _TOTALS}
        total |= {name: total[name] + Decimal(found[name]) for name in _AMOUNTS}
        begin = stop
    answer = total | {name: f"{total[name]:f}" for name in _AMOUNTS} | {"dry_run": dry_run}
    if json:
        shown.document(answer)
        return
    done = "would be corrected" if dry_run else "corrected"
    shown.line(
        f"{answer['calls']} calls looked at, {answer['corrected']} {done} ({answer['newly_priced']} had no price), "
        f"{answer['without_price']} without a known price"
    )
    shown.line(f"{answer['old_usd']} -> {answer['new_usd']} USD, a difference of {answer['delta_usd']} USD")


def _given(file: Path | None) -> dict[str, str]:
    if file is None:
        return {}
    try:
        return {"file": file.read_text("utf-8"), "name": file.name}
    except (OSError, UnicodeDecodeError) as error:
        raise CommandFailed(
            f"The file {file} cannot be read: {error}. Nothing was changed.", exit_code=SET_UP
        ) from error


def _moment(option: str, text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise CommandFailed(
            f"{option} is {text!r}; write a day such as 2026-11-01, or a time such as 2026-11-01T12:00Z.",
            exit_code=WRONG_USAGE,
        ) from None
    return found.astimezone(UTC) if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _changes(found: dict[str, Any]) -> None:
    for change in found["changes"][:CHANGES_SHOWN]:
        shown.line(f"{change['kind']:8} {change['price_list']}/{change['model']}: {'; '.join(change['words'])}")
    left = len(found["changes"]) - CHANGES_SHOWN
    if left > 0:
        shown.note(f"{left} more; --json shows all of them")
    for change in found["list_changes"]:
        shown.line(change)
    if not found["changes"]:
        shown.line(f"{found['source']} changes no price")


def _counts(found: dict[str, Any]) -> str:
    return f"{found['source']}: {found['added']} added, {found['changed']} changed, {found['removed']} removed"


def _units(units: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    """Units of one price share a line."""
    names: dict[tuple[str, str], list[str]] = {}
    for unit in units:
        above = ", ".join(f"{step['usd_per_million']} above {step['above_tokens']} tokens" for step in unit["above"])
        names.setdefault((unit["usd_per_million"], above), []).append(unit["unit"])
    return [(", ".join(alike), usd, above) for (usd, above), alike in names.items()]


def _validity(row: dict[str, Any]) -> str:
    text = f", from {_day(row['valid_from'])}" if row["valid_from"] else ""
    text += f", until {_day(row['valid_to'])}" if row["valid_to"] else ""
    return text + (f", {row['hours']} UTC" if row["hours"] else "")


def _origin(row: dict[str, Any]) -> str:
    if row["recorded_at"] is None:
        return f"source: {row['source']}"
    over = f", believed until {_second(row['superseded_at'])} UTC" if row["superseded_at"] else ""
    recorded = f"recorded {_second(row['recorded_at'])} UTC, approved by {row['approved_by']}"
    return f"source: {row['source']}; {recorded}{over}"


def _day(moment: str) -> str:
    return moment[:10] if moment[11:19] == "00:00:00" else f"{moment[:16].replace('T', ' ')}"


def _second(moment: str) -> str:
    return moment[:19].replace("T", " ")
