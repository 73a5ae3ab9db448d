"""`watchkeeper release`: what there is, what is live, and putting something else live."""

import time
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from watchkeeper.cli import client, show
from watchkeeper.cli.options import DATA_DEFAULT, Data, Json
from watchkeeper.cli.outcome import WRONG_USAGE, CommandFailed
from watchkeeper.cli.show import Column
from watchkeeper.releases import yaml_text

WAIT_S = 2.0
"""For the workers to have a change."""
LOOK_EVERY_S = 0.05
SHORT = 12
"""Characters of an id in tables: `wk1-` and eight more."""
_HEADS = (
    Column("feature", shrinks_to=12), Column("release"), Column("pushed (UTC)", leaves=2), Column("by", leaves=1),
    Column("live in"), Column("message", shrinks_to=16, leaves=3),
)  # fmt: skip
_HISTORY = (
    Column("from (UTC)"), Column("environment", leaves=1), Column("what"), Column("release"), Column("by"),
    Column("review", leaves=3), Column("run", leaves=4), Column("why", shrinks_to=16, leaves=2),
)  # fmt: skip

Feature = Annotated[str, Parameter(help="As release.yaml names it.")]
Environment = Annotated[str, Parameter(name="--env", help="The environment.")]
Why = Annotated[str, Parameter(name=["--message", "-m"], help="Why; kept in the history.")]
Release = Annotated[str, Parameter(help="Id, or a beginning of it that fits no other; FEATURE is the latest.")]


def list_(
    feature: Annotated[str, Parameter(help="All releases of one feature; else the latest of each.")] = "",
    *,
    limit: Annotated[int, Parameter(help="So many at most.")] = 100,
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """List the latest release of each feature, or all releases of one, and where they are live."""
    found = client.get(data, "/api/v1/releases", feature=feature, limit=limit)
    if json:
        show.document(found)
        return
    rows = [_head(release) for release in found["releases"]]
    if not feature:
        standings = client.get(data, "/api/v1/environments/current")["standings"]
        rows = [
            (*row[:4], _live_anywhere(release, standings), *row[5:])
            for row, release in zip(rows, found["releases"], strict=True)
        ]
    show.table(_HEADS, rows)


def show_(release: Release, *, data: Data = DATA_DEFAULT, json: Json = False) -> None:
    """Show a release: its recipe, who made it from what, and where it is live. FEATURE@ENVIRONMENT names one, too."""
    found = client.get(data, f"/api/v1/releases/{client.part(release)}")
    if json:
        show.document(found)
        return
    show.heading(f"Release {found['id']}")
    show.line(f"pushed   {moment(found['at'])} UTC by {show.plain(found['author'])}")
    show.line(f"parent   {found['parent'] or 'none'}")
    show.line(f"live in  {_live(found) or 'nothing'}")
    if found["message"]:
        show.line(f"message  {show.plain(found['message'])}")
    show.heading("\nRecipe")
    show.line(show.plain_lines(yaml_text.written(found["recipe"])).rstrip())


def history(
    feature: Feature,
    *,
    env: Annotated[list[str], Parameter(name="--env", negative="", help="Only these environments.")] = [],  # noqa: B006 - cyclopts copies it
    limit: Annotated[int, Parameter(help="So many at most.")] = 100,
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """List what was live of a feature, the latest first: since when, by whom, why, on which review and run."""
    found = client.get(data, "/api/v1/environments/history", feature=feature, environment=tuple(env), limit=limit)
    if json:
        show.document(found)
        return
    show.table(_HISTORY, [_standing(standing) for standing in found["standings"]])


def promote(
    feature: Feature,
    release: Annotated[str, Parameter(help="Without one, the latest of the feature.")] = "",
    *,
    to: Annotated[str, Parameter(help="The environment.")],
    from_: Annotated[str, Parameter(name="--from", help="What is live in this environment.")] = "",
    message: Why = "",
    review: Annotated[int | None, Parameter(help="The review request that is relied upon.")] = None,
    eval_run: Annotated[str, Parameter(help="The run of an evaluation that is relied upon.")] = "",
    canary: Annotated[
        bool, Parameter(negative="", help="Only for a part of the callers, which grows by itself; see `rollout start`.")
    ] = False,
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """Have a release serve, on all workers at the same moment."""
    if release and from_:
        raise CommandFailed("Name a release, or the environment to take it --from, not both.", exit_code=WRONG_USAGE)
    named = f"{feature}@{from_}" if from_ else release or feature
    relied_upon = {"review": review, "eval_run": eval_run}
    if canary:
        _start_canary(data, {"feature": feature, "environment": to, "reason": message} | relied_upon, named, json=json)
        return
    wish = {"feature": feature, "release": named, "message": message} | relied_upon
    _say_done(data, client.post(data, f"/api/v1/environments/{client.part(to)}/promote", **wish), json=json)


def rollback(
    feature: Feature,
    *,
    to: Annotated[str, Parameter(help="A release that stood before; by default the last good one.")] = "",
    env: Environment = "production",
    message: Why = "",
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """Go back to what stood before; ends what is being tried. Needs no review, and no freeze holds it up."""
    path = f"/api/v1/environments/{client.part(env)}/rollback"
    _say_done(data, client.post(data, path, feature=feature, to=to, message=message), json=json)


def withdraw(
    feature: Feature, *, env: Environment, message: Why = "", data: Data = DATA_DEFAULT, json: Json = False
) -> None:
    """Take a feature off: calls of it are refused in this environment."""
    path = f"/api/v1/environments/{client.part(env)}/withdraw"
    _say_done(data, client.post(data, path, feature=feature, message=message), json=json)


def moment(text: str | None) -> str:
    """Write a moment of the API to the second."""
    return text[:19].replace("T", " ") if text else ""


def _start_canary(data: Path, wish: dict[str, Any], named: str, *, json: bool) -> None:
    release = client.get(data, f"/api/v1/releases/{client.part(named)}")["id"]
    found = client.post(data, "/api/v1/rollouts", kind="canary", arms=[{"release": release}], **wish)
    if json:
        show.document(found)
    else:
        show.line(f"canary {found['id']} of {release} has begun; `watchkeeper rollout show {found['id']}` follows it")


def _say_done(data: Path, done: dict[str, Any], *, json: bool) -> None:
    """Say what was done once the workers have it, or why nobody can say."""
    arrived = _arrived(data, done) if done["workers"] else None
    if json:
        show.document(done | {"arrived": arrived})
        return
    standing, before = done["standing"], done["before"]
    was = (
        f", instead of {before['release'] or 'nothing'}" if before and before["release"] != standing["release"] else ""
    )
    tried = before["rollout"] if before else None
    what = f"{standing['feature']} is {standing['release'] or 'taken off'} in {standing['environment']}{was}"
    show.line(f"{what}, from {_exact(standing['since'])} UTC")
    if tried:
        arms = ", ".join(arm["release"] for arm in tried["arms"])
        show.line(f"the {tried['kind']} of {arms} is over")
    for text in done["passed_over"]:
        show.note(f"although {text}")
    if arrived is None:
        show.note("no worker runs here; it holds from the next start on")
    elif arrived < done["workers"]:
        show.note(f"{arrived} of {done['workers']} workers have it after {WAIT_S:g} s; see `watchkeeper health`")
    else:
        show.line(f"{arrived} of {done['workers']} workers have it")


def _arrived(data: Path, done: dict[str, Any]) -> int:
    """Wait until all workers have the change and its moment has come; return how many have it."""
    deadline = time.monotonic() + WAIT_S
    since, at = (datetime.fromisoformat(done["standing"][name]) for name in ("since", "at"))
    due = time.monotonic() + (since - at).total_seconds()
    while True:
        found = client.get(data, "/api/v1/environments/arrival", version=done["version"])
        if (found["arrived"] >= done["workers"] and time.monotonic() >= due) or time.monotonic() > deadline:
            return int(found["arrived"])
        time.sleep(LOOK_EVERY_S)


def _head(release: dict[str, Any]) -> tuple[str, ...]:
    return (
        release["feature"], release["id"], moment(release["at"]), release["author"], _live(release),
        release["message"].partition("\n")[0],
    )  # fmt: skip


def _live(release: dict[str, Any]) -> str:
    return ", ".join(where["environment"] for where in release["live"])


def _live_anywhere(latest: dict[str, Any], standings: list[dict[str, Any]]) -> str:
    """Say where any release of the feature is live, and which where it is not the latest."""
    own = [one for one in standings if one["feature"] == latest["feature"] and one["release"]]
    return ", ".join(
        one["environment"] + ("" if one["release"] == latest["id"] else f" ({one['release'][:SHORT]})") for one in own
    )


def _standing(standing: dict[str, Any]) -> tuple[str, ...]:
    tried = standing["rollout"]
    arms = ", ".join(f"{arm['release'][:SHORT]} {100 * arm['share']:g}%" for arm in tried["arms"]) if tried else ""
    return (
        moment(standing["since"]), standing["environment"], standing["kind"],
        (standing["release"] or "nothing") + (f" ({tried['kind']} {arms})" if tried else ""), standing["by"],
        str(standing["review"] or ""), standing["eval_run"], standing["reason"].partition("\n")[0],
    )  # fmt: skip


def _exact(text: str) -> str:
    return text.removesuffix("Z").replace("T", " ")
