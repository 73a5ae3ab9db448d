"""`watchkeeper release`: reviews, checks and freezes."""

from typing import Annotated, Any

from cyclopts import Parameter

from watchkeeper.cli import client, show
from watchkeeper.cli.options import DATA_DEFAULT, Data, Json
from watchkeeper.cli.outcome import WRONG_USAGE, CommandFailed
from watchkeeper.cli.release import Why, moment
from watchkeeper.cli.show import Column

_REVIEWS = (
    Column("request", is_right=True), Column("state"), Column("feature", shrinks_to=12), Column("release"),
    Column("for"), Column("by"), Column("votes", leaves=1), Column("asked (UTC)", leaves=3),
    Column("message", shrinks_to=16, leaves=2),
)  # fmt: skip
_ENVIRONMENTS = (
    Column("environment"), Column("approvals", is_right=True), Column("author may approve"), Column("checks"),
    Column("frozen"),
)  # fmt: skip
Request = Annotated[int, Parameter(help="From `release reviews`.")]
Frozen = Annotated[str, Parameter(help="Only for this feature; else for every one.")]


def request(
    feature: str,
    release: Annotated[str, Parameter(help="Without one, the latest of the feature.")] = "",
    *,
    to: Annotated[str, Parameter(help="The environment.")],
    message: Why = "",
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """Ask others to approve of a release for an environment."""
    wish = {"release": release or feature, "environment": to, "message": message}
    found = client.post(data, "/api/v1/reviews", **wish)
    if not json and found["feature"] != feature:
        show.note(f"{found['release']} is a release of {found['feature']}")
    _say(found, json=json)


def approve(request: Request, *, message: Why = "", data: Data = DATA_DEFAULT, json: Json = False) -> None:
    """Say yes to a review request."""
    _say(_voted(data, request, "approve", message), json=json)


def reject(request: Request, *, message: Why = "", data: Data = DATA_DEFAULT, json: Json = False) -> None:
    """Say no to a review request."""
    _say(_voted(data, request, "reject", message), json=json)


def reviews(
    request: Annotated[int | None, Parameter(help="Only this one, with its votes and what is missing.")] = None,
    *,
    feature: str = "",
    open_: Annotated[bool, Parameter(name="--open", negative="", help="Only those that are open.")] = False,
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """List review requests, the latest first."""
    if request is not None:
        _say(client.get(data, f"/api/v1/reviews/{request}"), json=json)
        return
    found = client.get(data, "/api/v1/reviews", feature=feature, open=open_ or None)
    if json:
        show.document(found)
        return
    show.table(_REVIEWS, [_row(one) for one in found["reviews"]])


def gate(
    release: str,
    *,
    name: Annotated[str, Parameter(help="Of the check, as the environment's rules name it.")],
    run: Annotated[str, Parameter(help="Where it can be looked up.")] = "",
    passed: Annotated[bool, Parameter(negative="")] = False,
    failed: Annotated[bool, Parameter(negative="")] = False,
    message: Annotated[str, Parameter(name=["--message", "-m"], help="What it came to.")] = "",
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """Report what a check came to for a release; the latest result of each check counts."""
    if passed == failed:
        raise CommandFailed("Say whether it has --passed or --failed; nothing was kept.", exit_code=WRONG_USAGE)
    path = f"/api/v1/releases/{client.part(release)}/gates"
    done = client.post(data, path, name=name, run=run, passed=passed, summary=message)
    if done["note"]:
        show.note(done["note"])
    if json:
        show.document(done)
    else:
        show.line(f"{done['name']} {'passed' if done['passed'] else 'failed'} for {done['release']}")


def freeze(
    environment: str, feature: Frozen = "*", *, message: Why = "", data: Data = DATA_DEFAULT, json: Json = False
) -> None:
    """Have nothing promoted to an environment until it is unfrozen; rollbacks still work."""
    path = f"/api/v1/environments/{client.part(environment)}/freeze"
    _say_frozen(client.post(data, path, feature=feature, message=message), json=json)


def unfreeze(
    environment: str, feature: Frozen = "*", *, message: Why = "", data: Data = DATA_DEFAULT, json: Json = False
) -> None:
    """Let releases be promoted again."""
    path = f"/api/v1/environments/{client.part(environment)}/unfreeze"
    _say_frozen(client.post(data, path, feature=feature, message=message), json=json)


def environments(*, data: Data = DATA_DEFAULT, json: Json = False) -> None:
    """List the environments with their rules and freezes."""
    found = client.get(data, "/api/v1/environments")
    if json:
        show.document(found)
        return
    show.table(_ENVIRONMENTS, [_environment(one) for one in found["environments"]])


def _voted(data: Any, request: int, verdict: str, comment: str) -> dict[str, Any]:
    return client.post(data, f"/api/v1/reviews/{request}/votes", verdict=verdict, comment=comment)


def _say(found: dict[str, Any], *, json: bool) -> None:
    if json:
        show.document(found)
        return
    what = f"{found['release']} of {found['feature']} for {found['environment']}"
    show.line(f"request {found['id']} ({found['state']}): {what}")
    for vote in found["votes"]:
        comment = f": {show.plain(vote['comment'])}" if vote["comment"] else ""
        show.line(f"  {vote['verdict']} by {show.plain(vote['by'])} at {moment(vote['at'])} UTC{comment}")
    for lack in found["missing"]:
        show.line(f"  missing: {show.plain(lack['message'])}")
    if found["state"] == "open" and not found["missing"]:
        wish = f"{found['feature']} {found['release']} --to {found['environment']}"
        show.line(f"  nothing is missing: `watchkeeper release promote {wish}`")


def _say_frozen(done: dict[str, Any], *, json: bool) -> None:
    if json:
        show.document(done)
        return
    whose = "" if done["feature"] == "*" else f" for {done['feature']}"
    state = "frozen" if done["is_frozen"] else "not frozen"
    show.line(f"{done['environment']} is {state}{whose}{'' if done['has_changed'] else ', as it was'}")
    for feature in done["still_frozen"]:
        command = f"`watchkeeper release unfreeze {done['environment']} {feature}` ends that"
        show.note(f"{done['environment']} is still frozen for {feature}; {command}")


def _row(one: dict[str, Any]) -> tuple[str, ...]:
    votes = ", ".join(f"{vote['by']} {vote['verdict']}s" for vote in one["votes"])
    return (
        str(one["id"]), one["state"], one["feature"], one["release"], one["environment"], one["requested_by"], votes,
        moment(one["at"]), one["message"].partition("\n")[0],
    )  # fmt: skip


def _environment(one: dict[str, Any]) -> tuple[str, ...]:
    frozen = ", ".join("everything" if freeze["feature"] == "*" else freeze["feature"] for freeze in one["freezes"])
    return (
        one["name"], str(one["approvals"]), "yes" if one["author_may_approve"] else "no", ", ".join(one["gate"]),
        frozen,
    )  # fmt: skip
