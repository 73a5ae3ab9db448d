"""Virtual keys: make, list, revoke, rotate."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from watchkeeper.api.auth import Operator, require_api_operator, services_of
from watchkeeper.api.documents import key_document
from watchkeeper.store.keys import KeyDraft

NAME_MAX = 200
OVERLAP_S_MAX = 90 * 86_400

router = APIRouter(prefix="/api/v1/keys", tags=["keys"])
By = Annotated[Operator, Depends(require_api_operator)]


class KeyWish(BaseModel):
    """A key to be made."""

    model_config = ConfigDict(extra="forbid")

    feature: str = Field(min_length=1, max_length=NAME_MAX, pattern=r"^[^\s/]+$", description="Whose calls it makes.")
    tenant: str = Field(default="", max_length=NAME_MAX, description="Binds the key to one tenant.")
    name: str = Field(default="", max_length=NAME_MAX)
    environment: str = Field(default="production", min_length=1, max_length=100)
    expires_in_s: int | None = Field(default=None, ge=1, le=10 * 366 * 86_400)


class Rotation(BaseModel):
    """How a key is replaced."""

    model_config = ConfigDict(extra="forbid")

    overlap_s: int = Field(default=3600, ge=0, le=OVERLAP_S_MAX, description="How long the old key is still accepted.")


@router.get("", summary="List keys")
async def list_keys(request: Request) -> dict[str, Any]:
    """Return all keys without their secrets, the newest first."""
    services = services_of(request)
    now = datetime.fromtimestamp(services.clock.unix_ns() / 1e9, UTC)
    return {"keys": [key_document(key, now) for key in await services.control.keys.all()]}


@router.post("", status_code=201, summary="Make a key")
async def create_key(request: Request, wish: KeyWish, by: By) -> dict[str, Any]:
    """Make a key and return it whole; it cannot be shown again. `note` says what the operator may have overlooked."""
    services = services_of(request)
    now = datetime.fromtimestamp(services.clock.unix_ns() / 1e9, UTC)
    expires_at = now + timedelta(seconds=wish.expires_in_s) if wish.expires_in_s else None
    draft = KeyDraft(
        feature=wish.feature,
        tenant=wish.tenant,
        name=wish.name,
        environment=wish.environment,
        expires_at=expires_at,
    )
    made = await services.control.keys.create(services.key_hasher, draft, actor=by.name)
    services.on_control_change()
    declared = services.declared_features()
    undeclared = bool(declared) and wish.feature not in declared
    note = f"The configuration does not declare the feature {wish.feature!r}; it has no owner." if undeclared else None
    return {"key": made.key, "note": note, **key_document(made.row, now)}


@router.post("/{public_id}/revoke", summary="Revoke a key")
async def revoke_key(request: Request, public_id: str, by: By) -> dict[str, Any]:
    """End a key; the gateway refuses it within a second."""
    services = services_of(request)
    row = await services.control.keys.revoke(public_id, actor=by.name)
    services.on_control_change()
    return key_document(row, datetime.fromtimestamp(services.clock.unix_ns() / 1e9, UTC))


@router.post("/{public_id}/rotate", status_code=201, summary="Replace a key")
async def rotate_key(request: Request, public_id: str, wish: Rotation, by: By) -> dict[str, Any]:
    """Make a key like another, which ends after the overlap; return the new one whole."""
    services = services_of(request)
    overlap = timedelta(seconds=wish.overlap_s)
    made = await services.control.keys.rotate(services.key_hasher, public_id, overlap=overlap, actor=by.name)
    services.on_control_change()
    now = datetime.fromtimestamp(services.clock.unix_ns() / 1e9, UTC)
    return {"key": made.key, "replaces": public_id, **key_document(made.row, now)}
