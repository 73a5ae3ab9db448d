"""Virtual keys: make, list, revoke, rotate."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from watchkeeper.api.auth import By, Parts
from watchkeeper.api.doubts import about_environment, about_feature, together
from watchkeeper.api.permits import SOME, needs, require
from watchkeeper.api.services import Services
from watchkeeper.api.strict import Strict
from watchkeeper.store.keys import KeyDraft, KeyRow

NAME_MAX = 200
EXPIRES_IN_S_MAX = 10 * 366 * 86_400
OVERLAP_S_MAX = 90 * 86_400

OPERATING = [needs("operate", somewhere=True)]

router = APIRouter(prefix="/api/v1/keys", tags=["keys"])


class KeyWish(Strict):
    """A key to be made."""

    feature: str = Field(min_length=1, max_length=NAME_MAX, pattern=r"^[^\s/]+$", description="Whose calls it makes.")
    tenant: str = Field(default="", max_length=NAME_MAX, description="Binds the key to one tenant.")
    name: str = Field(default="", max_length=NAME_MAX, description="For people; it need not be unique.")
    environment: str = Field(default="production", min_length=1, max_length=100, pattern=r"^[^\s/]+$")
    expires_in_s: int | None = Field(default=None, ge=1, le=EXPIRES_IN_S_MAX)


class Rotation(Strict):
    """How a key is replaced."""

    overlap_s: int = Field(default=3600, ge=0, le=OVERLAP_S_MAX, description="How long the old key is still accepted.")


class KeyDocument(BaseModel):
    """A key without its secret."""

    public_id: Annotated[str, Field(description="The key begins with `sk-wk-` and this.")]
    name: str
    feature: str
    tenant: str
    environment: str
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    revoked_at: datetime | None
    replaced_by: str | None
    is_valid: Annotated[bool, Field(description="Whether the gateway accepts it now.")]


class NewKeyDocument(KeyDocument):
    """A key with its secret, at the only moment it can be seen."""

    key: Annotated[str, Field(description="Keep it: it is not shown again.")]
    replaces: str | None = None
    replaced_until: Annotated[datetime | None, Field(description="How long the replaced key is accepted.")] = None
    note: Annotated[str | None, Field(description="What the operator may have overlooked.")] = None


class KeyList(BaseModel):
    """Keys, the newest first."""

    keys: list[KeyDocument]


@router.get("", summary="List keys", dependencies=SOME)
async def list_keys(parts: Parts, by: By) -> KeyList:
    """Return the keys without their secrets, those that have ended included."""
    found = await parts.control.keys.all(by.rights.features("read"))
    return KeyList(keys=[KeyDocument(**_facts(key, parts)) for key in found])


@router.post("", status_code=201, summary="Make a key", dependencies=OPERATING)
async def create_key(wish: KeyWish, parts: Parts, by: By) -> NewKeyDocument:
    """Make a key and return it whole; it cannot be shown again."""
    await require(parts, by, "operate", feature=wish.feature)
    expires_at = _now(parts) + timedelta(seconds=wish.expires_in_s) if wish.expires_in_s else None
    draft = KeyDraft(
        feature=wish.feature,
        tenant=wish.tenant,
        name=wish.name,
        environment=wish.environment,
        expires_at=expires_at,
    )
    made = await parts.control.keys.create(parts.key_hasher, draft, actor=by.name)
    parts.on_control_change()
    note = together((about_feature(wish.feature, parts), about_environment(wish.environment, parts)))
    return NewKeyDocument(**_facts(made.row, parts), key=made.key, note=note)


@router.post("/{public_id:path}/revoke", summary="Revoke a key", dependencies=OPERATING)
async def revoke_key(public_id: str, parts: Parts, by: By) -> KeyDocument:
    """End a key; the gateway refuses it within a second."""
    await require(parts, by, "operate", feature=(await parts.control.keys.get(public_id)).feature)
    row = await parts.control.keys.revoke(public_id, actor=by.name)
    parts.on_control_change()
    return KeyDocument(**_facts(row, parts))


@router.post("/{public_id:path}/rotate", status_code=201, summary="Replace a key", dependencies=OPERATING)
async def rotate_key(public_id: str, wish: Rotation, parts: Parts, by: By) -> NewKeyDocument:
    """Make a key like another, which ends after the overlap; return the new one whole."""
    await require(parts, by, "operate", feature=(await parts.control.keys.get(public_id)).feature)
    overlap = timedelta(seconds=wish.overlap_s)
    made = await parts.control.keys.rotate(parts.key_hasher, public_id, overlap=overlap, actor=by.name)
    parts.on_control_change()
    old = await parts.control.keys.get(public_id)
    return NewKeyDocument(**_facts(made.row, parts), key=made.key, replaces=public_id, replaced_until=old.expires_at)


def _facts(key: KeyRow, parts: Services) -> dict[str, Any]:
    facts = {name: getattr(key, name) for name in KeyDocument.model_fields if name != "is_valid"}
    return facts | {"is_valid": key.is_valid_at(_now(parts))}


def _now(parts: Services) -> datetime:
    return datetime.fromtimestamp(parts.clock.unix_ns() / 1e9, UTC)
