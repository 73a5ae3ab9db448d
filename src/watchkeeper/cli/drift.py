"""`watchkeeper drift`: what has moved, accepting it, and how often that is told by mistake."""

from typing import Annotated, Any

from cyclopts import Parameter

from watchkeeper.cli import client, show
from watchkeeper.cli.options import DATA_DEFAULT, Data, Json
from watchkeeper.cli.show import Column

WITHIN_S = 600.0

_LOOKS = (
    Column("feature", shrinks_to=10),
    Column("environment", leaves=3),
    Column("release", shrinks_to=12, leaves=2),
    Column("target", shrinks_to=12, leaves=2),
    Column("last"),
    Column("until (UTC)"),
    Column("calls", is_right=True),
    Column("what moved", shrinks_to=16),
)
_READINGS = (
    Column("signal"),
    Column("before", is_right=True),
    Column("now", is_right=True),
    Column("effect", is_right=True),
    Column("told from", is_right=True, leaves=2),
    Column("p", is_right=True),
    Column("PSI", is_right=True, leaves=1),
    Column("", is_state=True),
)
_FINDINGS = (
    Column("at (UTC)"),
    Column("what", is_state=True),
    Column("where", leaves=1),
    Column("in words", shrinks_to=20),
)
_MEASURED = (
    Column("environment"),
    Column("release", shrinks_to=12, leaves=1),
    Column("target", shrinks_to=12, leaves=1),
    Column("window"),
    Column("looks", is_right=True),
    Column("left out", is_right=True),
    Column("alarms", is_right=True),
    Column("in 30 days", is_right=True),
    Column("by signal", shrinks_to=12),
)

Feature = Annotated[str, Parameter(help="Whose calls.")]


def list_(*, data: Data = DATA_DEFAULT, json: Json = False) -> None:
    """List what is looked at, and what has moved."""
    found = client.get(data, "/api/v1/drift")
    if json:
        show.document(found)
        return
    show.table(_LOOKS, [_look_row(look) for look in found["looks"]])


def show_(feature: Feature, *, data: Data = DATA_DEFAULT, json: Json = False) -> None:
    """Show the last looks at a feature, signal by signal, and what was found."""
    found = client.get(data, f"/api/v1/drift/features/{client.part(feature)}")
    if json:
        show.document(found)
        return
    for look in found["looks"]:
        show.heading(_heading(look))
        if look["reference"]:
            reference = look["reference"]
            span = f"{_minute(reference['since'])} to {_minute(reference['until'])} UTC"
            show.line(f"compared with {span}, by {show.plain(reference['by'])}")
        if look["not_judged"]:
            show.line(show.plain(look["not_judged"]))
        if look["readings"]:
            show.table(_READINGS, [_reading_row(one) for one in look["readings"]])
        for one in look["readings"]:
            if one["sentence"]:
                show.line(f"- {show.plain(one['sentence'])}")
        show.line("")
    if found["findings"]:
        show.table(_FINDINGS, [_finding_row(one) for one in found["findings"]])


def accept(
    feature: Feature,
    *,
    env: Annotated[str, Parameter(name="--env", help="Only there.")] = "",
    release: Annotated[str, Parameter(help="Only under this one.")] = "",
    reason: Annotated[str, Parameter(help="Kept with it.")] = "",
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """Say that calls are how they should be: later ones are compared with those since the change."""
    path = f"/api/v1/drift/features/{client.part(feature)}/accept"
    found = client.post(data, path, environment=env, release=release, reason=reason)
    if json:
        show.document(found)
        return
    for one in found["accepted"]:
        since = _minute(one["reference"]["since"])
        show.line(f"{_where(one['group'])} is compared with its seven days from {since} UTC on")


def calibrate(feature: Feature, *, data: Data = DATA_DEFAULT, json: Json = False) -> None:
    """Compare a feature's last four weeks with themselves, and count what would have been told."""
    path = f"/api/v1/drift/features/{client.part(feature)}/calibrate"
    found = client.post_patiently(data, path, within_s=WITHIN_S)
    if json:
        show.document(found)
        return
    show.table(_MEASURED, [_measured_row(one) for one in found["groups"]])
    measured, allowed = found["measured_a_month"], found["allowed_a_month"]
    if measured is None:
        show.line("No hour and no day had 100 calls of distinct sessions; nothing was measured.")
        return
    limit = "" if allowed is None else f"; {allowed:g} are allowed by `drift.false_alarms`"
    show.line(f"measured: {measured:.2g} false alarms in thirty days{limit}")


def _look_row(look: dict[str, Any]) -> tuple[str, ...]:
    group = look["group"]
    moved = ", ".join(look["open"]) or look["not_judged"] or "nothing"
    return (
        group["feature"], group["environment"], group["release"], group["target"] or "all calls", look["window"],
        _minute(look["until"]), f"{look['calls']:,}", moved,
    )  # fmt: skip


def _heading(look: dict[str, Any]) -> str:
    return f"{_where(look['group'])}: the {look['window']} from {_minute(look['since'])} UTC, {look['calls']:,} calls"


def _where(group: dict[str, str]) -> str:
    parts = [group["feature"], f"in {group['environment']}"]
    parts += [f"under {group['release']}"] if group["release"] else []
    parts += [f"by {group['target']}"] if group["target"] else ["(how many calls)"]
    return " ".join(parts)


def _reading_row(one: dict[str, Any]) -> tuple[str, ...]:
    p = "< 0.0001" if one["p"] < 0.0001 else f"{one['p']:.2g}"
    psi = "" if one["psi"] is None else f"{one['psi']:.3f}"
    return (
        one["label"], _figure(one, "before"), _figure(one, "after"), f"{one['effect']:.3g}", f"{one['floor']:g}", p,
        psi,
        one["breach"],
    )  # fmt: skip


def _figure(one: dict[str, Any], name: str) -> str:
    value = one[name]
    if value is None:
        return ""
    is_share = one["signal"] in ("refusals", "parse_failures", "cut_off")
    return f"{100 * value:.1f} %" if is_share else f"{value:,.0f}"


def _finding_row(one: dict[str, Any]) -> tuple[str, ...]:
    return _minute(one["at"]), one["kind"], one["group"]["environment"], one["sentence"]


def _measured_row(one: dict[str, Any]) -> tuple[str, ...]:
    group = one["group"]
    rate = "" if one["a_month"] is None else f"{one['a_month']:.2g}"
    signals = ", ".join(f"{count} {name}" for name, count in one["by_signal"].items())
    return (
        group["environment"], group["release"], group["target"], one["window"], f"{one['looks']:,}",
        f"{one['left_out']:,}", f"{one['alarms']:,}", rate, signals,
    )  # fmt: skip


def _minute(moment: str) -> str:
    return moment[:16].replace("T", " ")
