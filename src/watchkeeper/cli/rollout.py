"""`watchkeeper rollout`: start one, list them, and say how it goes on."""

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from watchkeeper.cli import client, options, show
from watchkeeper.cli.options import DATA_DEFAULT, Data, Json, span_s
from watchkeeper.cli.outcome import NOT_FOUND, WRONG_USAGE, CommandFailed
from watchkeeper.cli.show import Column

ID_PREFIX = "rollout-"

_COLUMNS = (
    Column("id"),
    Column("state", is_state=True),
    Column("kind"),
    Column("feature", shrinks_to=10),
    Column("environment", leaves=2),
    Column("tried", shrinks_to=12),
    Column("share", is_right=True),
    Column("started (UTC)", leaves=3),
    Column("why", shrinks_to=12, leaves=1),
)

Named = Annotated[str, Parameter(help="Its id, or a feature: then the newest of that feature.")]
Running = Annotated[str, Parameter(help="Its id, or a feature: then the one of that feature that runs.")]
Env = Annotated[str, Parameter(name="--env", help="Where, if a feature is named.")]
Reason = Annotated[str, Parameter(help="Kept in the history.")]


def start(
    feature: Annotated[str, Parameter(help="Whose release it is.")],
    *releases: Annotated[str, Parameter(help="What to try; several for an A/B test.")],
    env: Annotated[str, Parameter(name="--env", help="Where.")] = "production",
    kind: Annotated[str, Parameter(help="canary, ab or shadow.")] = "canary",
    share: Annotated[str, Parameter(help="Of the first step, or of each arm of a test: 20%,30%.")] = "",
    steps: Annotated[str, Parameter(help="Of a canary: 5%,20%,50%,100% unless told otherwise.")] = "",
    bake: Annotated[str, Parameter(help="How long each step takes at least, such as 30m.")] = "",
    calls: Annotated[int | None, Parameter(help="What the candidate must have been called in each step.")] = None,
    sticky: Annotated[str, Parameter(help="What keeps its arm: subject, session or call.")] = "subject",
    metric: Annotated[
        str, Parameter(help="What a test is about: errors, parse_failures, latency, cost or feedback.")
    ] = "",
    guard: Annotated[
        tuple[str, ...], Parameter(help="A metric that must not become worse, or by how much it may: cost=20%.")
    ] = (),
    widen: Annotated[str, Parameter(help="When a step is passed: proven or unrefuted.")] = "proven",
    reason: Reason = "",
    eval_run: Annotated[str, Parameter(help="The run that is relied upon.")] = "",
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """Try a release beside the one that stands."""
    shares = _shares("--share", share)
    arms = [
        {"release": release} | ({"share": shares[place]} if place < len(shares) else {})
        for place, release in enumerate(releases)
    ]
    started = client.post(
        data,
        "/api/v1/rollouts",
        feature=feature,
        environment=env,
        kind=kind,
        arms=arms,
        steps=_shares("--steps", steps),
        bake_s=span_s("--bake", bake) if bake else None,
        least_calls=calls,
        sticky=sticky,
        goal=metric or None,
        guards=dict(_guard(one) for one in guard),
        widening=widen,
        reason=reason,
        eval_run=eval_run,
    )
    if json:
        show.document(started)
        return
    show.line(f"started {started['id']}: {tried(started)} beside {started['baseline']}")
    show.line(f"`watchkeeper rollout show {started['id']}` says how it goes")


def list_(
    *,
    feature: Annotated[str, Parameter(help="Only of this feature.")] = "",
    env: Annotated[str, Parameter(name="--env", help="Only there.")] = "",
    active: Annotated[bool, Parameter(negative="", help="Only those by which calls are assigned now.")] = False,
    limit: Annotated[int, Parameter(help="At most so many.")] = 50,
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """List rollouts, the newest first."""
    chosen = {"feature": feature, "environment": env, "active": "true" if active else "", "limit": limit}
    found = client.get(data, "/api/v1/rollouts", **chosen)
    if json:
        show.document(found)
    else:
        show.table(_COLUMNS, [_row(one) for one in found["rollouts"]])


def widen(
    rollout: Running, *, env: Env = "", reason: Reason = "", data: Data = DATA_DEFAULT, json: Json = False
) -> None:
    """Go on to the next step by hand; behind the last one the candidate serves everybody."""
    _change(data, rollout, env, "widen", reason, json=json)


def pause(
    rollout: Running, *, env: Env = "", reason: Reason = "", data: Data = DATA_DEFAULT, json: Json = False
) -> None:
    """Leave every share as it is; a candidate that is worse is still taken back."""
    _change(data, rollout, env, "pause", reason, json=json)


def resume(
    rollout: Running, *, env: Env = "", reason: Reason = "", data: Data = DATA_DEFAULT, json: Json = False
) -> None:
    """Let a paused rollout go on; its step begins anew, with figures of its own."""
    _change(data, rollout, env, "resume", reason, json=json)


def stop(
    rollout: Running, *, env: Env = "", reason: Reason = "", data: Data = DATA_DEFAULT, json: Json = False
) -> None:
    """End a rollout: everybody is served by the release that stands."""
    _change(data, rollout, env, "stop", reason, json=json)


def conclude(
    rollout: Running,
    *,
    winner: Annotated[str, Parameter(help="The release that serves everybody from now on.")],
    env: Env = "",
    reason: Reason = "",
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """End a rollout with one of its releases serving everybody."""
    path = f"/api/v1/rollouts/{client.part(_running(data, rollout, env))}/conclude"
    ended = client.post(data, path, winner=winner, reason=reason)
    known = (ended["baseline"], *(arm["release"] for arm in ended["arms"]))
    _say(ended, next((release for release in known if release.startswith(winner)), winner), json=json)


def id_of(data: Path, named: str, env: str = "") -> str:
    """Return the id of a rollout that is named by it, or of the newest of a feature.

    Raises:
        CommandFailed: the feature has none.
    """
    if named.startswith(ID_PREFIX):
        return named
    found = client.get(data, "/api/v1/rollouts", feature=named, environment=env, limit=1)["rollouts"]
    if not found:
        where = f" in {env}" if env else ""
        raise CommandFailed(
            f"The feature {named!r} has no rollout{where}. `watchkeeper rollout list` shows those there are.",
            exit_code=NOT_FOUND,
        )
    rollout_id: str = found[0]["id"]
    return rollout_id


def tried(rollout: dict[str, Any]) -> str:
    """Say what is tried: `wk1-abc at 5%`."""
    return ", ".join(f"{arm['release']} at {100 * arm['share']:.3g}%" for arm in rollout["arms"])


def _running(data: Path, named: str, env: str) -> str:
    """Return the id of a rollout that is named by it, or of the one of a feature that runs.

    Raises:
        CommandFailed: none of the feature runs, or several do.
    """
    if named.startswith(ID_PREFIX):
        return named
    chosen = {"feature": named, "environment": env}
    found = client.get(data, "/api/v1/rollouts", active="true", **chosen)["rollouts"]
    if len(found) == 1:
        rollout_id: str = found[0]["id"]
        return rollout_id
    if found:
        listed = ", ".join(f"the {_what(one)} ({one['id']})" for one in found)
        raise CommandFailed(
            f"Several rollouts of {named} run; nothing was done: {listed}. Choose one by its --env or by its id.",
            exit_code=WRONG_USAGE,
        )
    last = client.get(data, "/api/v1/rollouts/" + client.part(id_of(data, named, env)))
    where = f" in {env}" if env else ""
    raise CommandFailed(
        f"No rollout of {named} runs{where}; nothing was done. The last one, the {_what(last)} ({last['id']}), is "
        f"{_state(last)}."
    )


def _change(data: Path, rollout: str, env: str, verb: str, reason: str, *, json: bool) -> None:
    changed = client.post(data, f"/api/v1/rollouts/{client.part(_running(data, rollout, env))}/{verb}", reason=reason)
    _say(changed, changed["arms"][0]["release"] if verb == "widen" else changed["baseline"], json=json)


def _say(changed: dict[str, Any], serving: str, *, json: bool) -> None:
    """Say what a rollout is now; where it has ended, which release serves."""
    if json:
        show.document(changed)
        return
    goes_on = changed["state"] in ("running", "paused")
    rest = tried(changed) if goes_on else f"{serving} serves everybody now"
    show.line(f"{_what(changed)} is {_state(changed)}: {rest} ({changed['id']})")


def _what(rollout: dict[str, Any]) -> str:
    kind = "A/B test" if rollout["kind"] == "ab" else rollout["kind"]
    return f"{kind} of {rollout['feature']} in {rollout['environment']}"


def _state(rollout: dict[str, Any]) -> str:
    return str(rollout["state"]).replace("_", " ")


def _row(rollout: dict[str, Any]) -> tuple[str, ...]:
    return (
        rollout["id"], rollout["state"].replace("_", " "), rollout["kind"], rollout["feature"], rollout["environment"],
        ", ".join(arm["release"] for arm in rollout["arms"]),
        f"{100 * sum(arm['share'] for arm in rollout['arms']):.3g}%",
        rollout["started_at"][:19].replace("T", " "), rollout["outcome"],
    )  # fmt: skip


def _shares(option: str, text: str) -> list[float]:
    return [options.share(option, one) for one in text.split(",")] if text else []


def _guard(text: str) -> tuple[str, float | None]:
    name, _, margin = text.partition("=")
    return name.strip(), options.share("--guard", margin) if margin else None
