"""`watchkeeper eval share`: links to the quality page of a feature."""

from typing import Annotated

from cyclopts import Parameter

from watchkeeper.cli import client, show
from watchkeeper.cli.options import DATA_DEFAULT, Data, Json
from watchkeeper.cli.show import Column

_SHARES = (
    Column("link"), Column("feature", shrinks_to=10), Column("for", shrinks_to=10), Column("state", is_state=True),
    Column("until (UTC)", leaves=2), Column("made by", leaves=1),
)  # fmt: skip


def share(
    feature: Annotated[str, Parameter(help="Whose quality page.")],
    *,
    days: Annotated[int, Parameter(help="How long the link is good, 365 at most.")] = 30,
    name: Annotated[str, Parameter(help="For whom, in words.")] = "",
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """Make a link that shows a feature's quality page without signing in; put the console's address in front of it."""
    made = client.post(data, "/api/v1/shares", feature=feature, days=days, name=name)
    if json:
        show.document(made)
        return
    show.note(f"made {made['id']}: whoever has this link sees figures of {made['feature']}, and no answers, until")
    show.note(f"{_moment(made['expires_at'])} UTC; `watchkeeper eval unshare {made['id']}` ends it. It is shown once:")
    show.line(made["path"])


def shares(
    feature: Annotated[str, Parameter(help="Only of this one.")] = "",
    *,
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """List the links to quality pages, those that have ended included."""
    found = client.get(data, "/api/v1/shares", feature=feature)
    if json:
        show.document(found)
        return
    rows = [
        (
            one["id"], one["feature"], one["name"],
            "good" if one["is_good"] else "taken back" if one["revoked_at"] else "expired",
            _moment(one["expires_at"]), one["by"],
        )
        for one in found["shares"]
    ]  # fmt: skip
    show.table(_SHARES, rows)


def unshare(
    link: Annotated[str, Parameter(help="Its id, as `eval shares` lists it.")],
    *,
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """Take a link back; from now on it opens nothing."""
    ended = client.post(data, f"/api/v1/shares/{client.part(link)}/revoke")
    if json:
        show.document(ended)
    else:
        show.line(f"took back {ended['id']}, which showed {ended['feature']}")


def _moment(text: str) -> str:
    return text[:16].replace("T", " ")
