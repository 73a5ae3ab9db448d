"""`watchkeeper tokens`."""

from typing import Annotated, Any

from cyclopts import Parameter

from watchkeeper.access.roles import ALL, Permission
from watchkeeper.access.tokens import API_TOKEN_PREFIX
from watchkeeper.cli import client, show
from watchkeeper.cli.options import DATA_DEFAULT, Data, Json, span_s
from watchkeeper.cli.outcome import WRONG_USAGE, CommandFailed
from watchkeeper.cli.show import Column

_COLUMNS = (
    Column("id"),
    Column("name", shrinks_to=12),
    Column("created", leaves=1),
    Column("by", leaves=2),
    Column("may", shrinks_to=12),
    Column("for", leaves=3),
    Column("state", is_state=True),
)


def create(
    name: Annotated[str, Parameter(help="Which program it is for.")],
    *,
    scope: Annotated[
        tuple[Permission, ...],
        Parameter(name="--scope", negative="", help="What may be done with it, any number; without one, everything."),
    ] = (),
    feature: Annotated[
        tuple[str, ...],
        Parameter(name="--feature", negative="", help="For which features, any number; without one, for all."),
    ] = (),
    expires: Annotated[str, Parameter(help="How long it is good for: 90d. Without it, until it is revoked.")] = "",
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """Make an API token; it is printed once, as the last line."""
    made = client.post(
        data,
        "/api/v1/tokens",
        name=name,
        scopes=list(scope) or None,
        features=list(feature) or None,
        expires_in_s=span_s("--expires", expires) if expires else None,
    )
    if json:
        show.document(made)
        return
    show.line(f"token {made['id']} ({made['name']}) for {_reach(made)}; keep it now, it is not shown again:")
    show.line(made["token"])


def list_(*, data: Data = DATA_DEFAULT, json: Json = False) -> None:
    """List the API tokens without their secrets."""
    found = client.get(data, "/api/v1/tokens")
    if json:
        show.document(found)
        return
    rows = [
        (
            token["id"],
            token["name"],
            token["created_at"][:16].replace("T", " "),
            token["created_by"],
            *_may(token),
            _state(token),
        )
        for token in found["tokens"]
    ]
    show.table(_COLUMNS, rows)


def revoke(
    token_id: Annotated[str, Parameter(help="From `tokens list`.")], *, data: Data = DATA_DEFAULT, json: Json = False
) -> None:
    """End an API token at once."""
    if token_id.strip().startswith(API_TOKEN_PREFIX):
        raise CommandFailed(
            "A whole token is not taken here, because every account of this host can read the list of processes; "
            "nothing was done. Give its id: `watchkeeper tokens list` shows it.",
            exit_code=WRONG_USAGE,
        )
    ended = client.post(data, f"/api/v1/tokens/{client.part(token_id)}/revoke")
    if json:
        show.document(ended)
    else:
        show.line(f"revoked {ended['id']} ({ended['name']})")


def _may(token: dict[str, Any]) -> tuple[str, str]:
    scopes = "everything" if ALL in token["scopes"] else ", ".join(token["scopes"])
    return scopes, "all features" if ALL in token["features"] else ", ".join(token["features"])


def _reach(token: dict[str, Any]) -> str:
    return ", ".join(_may(token)) + (f", until {_minute(token['expires_at'])} UTC" if token["expires_at"] else "")


def _state(token: dict[str, Any]) -> str:
    if token["revoked_at"]:
        return f"revoked {_minute(token['revoked_at'])}"
    if not token["is_valid"]:
        return f"expired {_minute(token['expires_at'])}"
    return f"valid until {_minute(token['expires_at'])}" if token["expires_at"] else "valid"


def _minute(moment: str) -> str:
    return moment[:16].replace("T", " ")
