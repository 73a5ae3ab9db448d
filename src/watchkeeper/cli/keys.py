"""`watchkeeper keys`."""

from typing import Annotated, Any

from cyclopts import Parameter

from watchkeeper.cli import client, show
from watchkeeper.cli.options import DATA_DEFAULT, Data, Json, key_id, span_s
from watchkeeper.cli.show import Column

_COLUMNS = (
    Column("id"),
    Column("feature"),
    Column("tenant", leaves=3),
    Column("name", leaves=4, shrinks_to=12),
    Column("environment", leaves=1),
    Column("created", leaves=2),
    Column("state", is_state=True),
)

_KeyId = Annotated[str, Parameter(help="From `keys list`, or the 12 characters behind `sk-wk-`; never the whole key.")]


def create(
    *,
    feature: Annotated[str, Parameter(help="Whose calls the key makes.")],
    tenant: Annotated[str, Parameter(help="Binds the key to one tenant.")] = "",
    name: Annotated[str, Parameter(help="For people; it need not be unique.")] = "",
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
    else:
        show.table(_COLUMNS, [_row(key) for key in found["keys"]])


def revoke(
    key_id: _KeyId,
    *,
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """End a key; the gateway refuses it within a second."""
    ended = client.post(data, f"/api/v1/keys/{_id(key_id, 'revoke')}/revoke")
    if json:
        show.document(ended)
    else:
        show.line(f"revoked {ended['public_id']} ({ended['feature']})")


def rotate(
    key_id: _KeyId,
    *,
    overlap: Annotated[str, Parameter(help="How long the old key is still accepted; 0s for no longer.")] = "1h",
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """Make a key like another, which ends after the overlap; the new one is printed once, as the last line."""
    overlap_s = span_s("--overlap", overlap)
    made = client.post(data, f"/api/v1/keys/{_id(key_id, 'rotate')}/rotate", overlap_s=overlap_s)
    if not json:
        old = made["replaces"]
        until = f"until {_minute(made['replaced_until'])} UTC; `watchkeeper keys revoke {old}` ends it now"
        show.line(f"the old key {old} is accepted {until if overlap_s else 'no longer'}")
    _print_new(made, json=json)


def _print_new(made: dict[str, Any], *, json: bool) -> None:
    if made["note"]:
        show.note(made["note"])
    if json:
        show.document(made)
        return
    tenant = f", tenant {made['tenant']}" if made["tenant"] else ""
    show.line(f"key {made['public_id']} for {made['feature']}{tenant}; keep it now, it is not shown again:")
    show.line(made["key"])


def _row(key: dict[str, Any]) -> tuple[str, ...]:
    return (
        key["public_id"], key["feature"], key["tenant"], key["name"], key["environment"], _minute(key["created_at"]),
        _state(key),
    )  # fmt: skip


def _state(key: dict[str, Any]) -> str:
    replaced = f", replaced by {key['replaced_by']}" if key["replaced_by"] else ""
    if key["revoked_at"]:
        return f"revoked {_minute(key['revoked_at'])}{replaced}"
    if not key["is_valid"]:
        return f"expired {_minute(key['expires_at'])}{replaced}"
    return (f"valid until {_minute(key['expires_at'])}" if key["expires_at"] else "valid") + replaced


def _minute(moment: str) -> str:
    return moment[:16].replace("T", " ")


def _id(text: str, verb: str) -> str:
    """Write an id as a step of a path."""
    return client.part(key_id(text, instead=f"watchkeeper keys {verb} ID"))
