"""`watchkeeper tokens`."""

from watchkeeper.cli import client, show
from watchkeeper.cli.options import DATA_DEFAULT, Data, Json


def create(name: str, *, data: Data = DATA_DEFAULT, json: Json = False) -> None:
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
    rows = (
        (
            token["id"],
            token["name"],
            token["created_at"][:16],
            token["created_by"],
            "revoked" if token["revoked_at"] else "valid",
        )
        for token in found["tokens"]
    )
    show.table(("id", "name", "created", "by", "state"), rows)


def revoke(token_id: str, *, data: Data = DATA_DEFAULT, json: Json = False) -> None:
    """End an API token at once."""
    ended = client.post(data, f"/api/v1/tokens/{token_id.replace('/', '%2F')}/revoke")
    if json:
        show.document(ended)
    else:
        show.line(f"revoked {ended['id']}")
