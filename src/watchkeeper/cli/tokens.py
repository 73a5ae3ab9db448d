"""`watchkeeper tokens`."""

from typing import Annotated

from cyclopts import Parameter

from watchkeeper.access.tokens import API_TOKEN_PREFIX
from watchkeeper.cli import client, show
from watchkeeper.cli.options import DATA_DEFAULT, Data, Json
from watchkeeper.cli.outcome import WRONG_USAGE, CommandFailed
from watchkeeper.cli.show import Column

_COLUMNS = (
    Column("id"),
    Column("name", shrinks_to=12),
    Column("created", leaves=1),
    Column("by", leaves=2),
    Column("state", is_state=True),
)


def create(
    name: Annotated[str, Parameter(help="Which program it is for.")], *, data: Data = DATA_DEFAULT, json: Json = False
) -> None:
    """Make an API token; it is printed once, as the last line."""
    made = client.post(data, "/api/v1/tokens", name=name)
    if json:
        show.document(made)
        return
    show.line(f"token {made['id']} ({made['name']}); keep it now, it is not shown again:")
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
            f"revoked {token['revoked_at'][:16].replace('T', ' ')}" if token["revoked_at"] else "valid",
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
