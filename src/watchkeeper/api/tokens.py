"""API tokens: for programs, with the permissions they need, for the features they need, for as long as they need."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from watchkeeper.access.roles import ALL, Permission
from watchkeeper.access.tokens import API_TOKEN_PREFIX, make_token
from watchkeeper.api.auth import By, Parts
from watchkeeper.api.people import ADMINISTERING, LOOKING, FeatureName
from watchkeeper.api.strict import Strict
from watchkeeper.store.people import TokenDraft, TokenRow

FEATURES_MAX = 200
EXPIRES_IN_S_MAX = 10 * 366 * 86_400

router = APIRouter(prefix="/api/v1/tokens", tags=["people"])


class TokenWish(Strict):
    """An API token to be made."""

    name: str = Field(min_length=1, max_length=200, description="Which program it is for.")
    scopes: list[Permission | Literal["*"]] = Field(
        default=[ALL], min_length=1, max_length=20, description="What may be done with it; `*` for everything."
    )
    features: list[FeatureName] = Field(
        default=[ALL], min_length=1, max_length=FEATURES_MAX, description="For which features; `*` for every one."
    )
    expires_in_s: int | None = Field(
        default=None, ge=1, le=EXPIRES_IN_S_MAX, description="How long it is good for; without it until it is revoked."
    )


class TokenDocument(BaseModel):
    """An API token without its secret."""

    id: str
    name: str
    created_at: datetime
    created_by: str
    revoked_at: datetime | None
    scopes: Annotated[list[str], Field(description="What may be done with it; `*` for everything.")]
    features: Annotated[list[str], Field(description="For which features; `*` for every one.")]
    expires_at: datetime | None
    is_valid: bool


class NewTokenDocument(TokenDocument):
    """An API token with its secret, at the only moment it can be seen."""

    token: Annotated[str, Field(description="Keep it: it is not shown again.")]


class TokenList(BaseModel):
    """API tokens, the newest first."""

    tokens: list[TokenDocument]


@router.get("", summary="List API tokens", dependencies=LOOKING)
async def list_tokens(parts: Parts) -> TokenList:
    """Return the API tokens without their secrets."""
    now = datetime.fromtimestamp(parts.clock.unix_ns() / 1e9, UTC)
    return TokenList(tokens=[_token(row, now) for row in await parts.control.people.list_tokens()])


@router.post("", status_code=201, summary="Make an API token", dependencies=ADMINISTERING)
async def add_token(wish: TokenWish, parts: Parts, by: By) -> NewTokenDocument:
    """Make a token for programs and return it whole; it cannot be shown again."""
    token = make_token(API_TOKEN_PREFIX)
    now = datetime.fromtimestamp(parts.clock.unix_ns() / 1e9, UTC)
    draft = TokenDraft(
        name=wish.name,
        scopes=_each_once(wish.scopes),
        features=_each_once(wish.features),
        expires_at=now + timedelta(seconds=wish.expires_in_s) if wish.expires_in_s else None,
    )
    row = await parts.control.people.add_token(parts.token_hasher.hash(token), draft, actor=by.name)
    return NewTokenDocument(**_token(row, now).model_dump(), token=token)


@router.post("/{token_id:path}/revoke", summary="Revoke an API token", dependencies=ADMINISTERING)
async def revoke_token(token_id: str, parts: Parts, by: By) -> TokenDocument:
    """End an API token at once."""
    now = datetime.fromtimestamp(parts.clock.unix_ns() / 1e9, UTC)
    return _token(await parts.control.people.revoke_token(token_id, actor=by.name), now)


def _each_once(words: Sequence[str]) -> tuple[str, ...]:
    """As they were given; beside `*` the others say nothing."""
    return (ALL,) if ALL in words else tuple(dict.fromkeys(words))


def _token(row: TokenRow, now: datetime) -> TokenDocument:
    fields = {name: getattr(row, name) for name in TokenDocument.model_fields if name != "is_valid"}
    return TokenDocument(**fields, is_valid=row.is_valid_at(now))
