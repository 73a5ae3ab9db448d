"""`watchkeeper keys`."""

from typing import Annotated, Any

from cyclopts import Parameter

from watchkeeper.cli import client, show
from watchkeeper.cli.options import DATA_DEFAULT, Data, Json, span_s


def create(
    *,
    feature: Annotated[str, Parameter(help="Whose calls the key makes.")],
    tenant: Annotated[str, Parameter(help="Binds the key to one tenant.")] = "",
    name: str = "",
    environment: str = "production",
    expires: Annotated[str, Parameter(help="Span after which the key is refused, such as 30d.")] = "",
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """Make a key; it is printed once, as the last line."""
    made = client.post(
        data,
        "/api/v1/keys",
        feature=feature,
        tenant=tenant,
        name=name,
        environment=environment,
        expires_in_s=span_s("--expires", expires) if expires else None,
    )
    _print_new(made, json=json)


def list_(*, data: Data = DATA_DEFAULT, json: Json = False) -> None:
    """List the keys without their secrets, the newest first."""
    found = client.get(data, "/api/v1/keys")
    if json:
        show.document(found)
        return
    columns = ("id", "feature", "tenant", "name", "environment", "created", "state")
    show.table(columns, (_row(key) for key in found["keys"]))


def revoke(key_id: str, *, data: Data = DATA_DEFAULT, json: Json = False) -> None:
    """End a key; the gateway refuses it within a second."""
    ended = client.post(data, f"/api/v1/keys/{_id(key_id)}/revoke")
    if json:
        show.document(ended)
    else:
        show.line(f"revoked {ended['public_id']} ({ended['feature']})")


def rotate(
    key_id: str,
    *,
    overlap: Annotated[str, Parameter(help="How long the old key is still accepted.")] = "1h",
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """Make a key like another, which ends after the overlap; the new one is printed once, as the last line."""
    overlap_s = span_s("--overlap", overlap)
    made = client.post(data, f"/api/v1/keys/{_id(key_id)}/rotate", overlap_s=overlap_s)
    if not json:
        show.line(
            f"{made['replaces']} is accepted for {overlap} more" if overlap_s else f"{made['replaces']} is revoked"
        )
    _print_new(made, json=json)


def _print_new(made: dict[str, Any], *, json: bool) -> None:
    if json:
        show.document(made)
        return
    if made.get("note"):
        show.note(made["note"])
    tenant = f", tenant {made['tenant']}" if made["tenant"] else ""
    show.line(f"key {made['public_id']} for {made['feature']}{tenant}; keep it now, it is not shown again:")
    show.line(made["key"])


def _row(key: dict[str, Any]) -> tuple[str, ...]:
    if key["revoked_at"]:
        state = f"revoked {key['revoked_at'][:16]}"
    elif not key["is_valid"]:
        state = f"expired {key['expires_at'][:16]}"
    else:
        state = f"valid until {key['expires_at'][:16]}" if key["expires_at"] else "valid"
    return (
        key["public_id"], key["feature"], key["tenant"], key["name"], key["environment"], key["created_at"][:16], state,
    )  # fmt: skip


def _id(text: str) -> str:
    """Take the id out of a whole key, which is what people have at hand."""
    return text.removeprefix("sk-wk-").split("-", 1)[0].replace("/", "%2F")
