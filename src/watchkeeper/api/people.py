"""Users, API tokens and sign-in links."""

import asyncio
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import AfterValidator, BaseModel, Field

from watchkeeper.access.passwords import hash_password, password_fault
from watchkeeper.access.roles import ALL, Grant, Role
from watchkeeper.access.tokens import API_TOKEN_PREFIX, make_token
from watchkeeper.api.auth import LOCAL_OPERATOR, By, Parts
from watchkeeper.api.signin import make_link
from watchkeeper.api.strict import Strict
from watchkeeper.store.people import TokenDraft, TokenRow, UserRow

router = APIRouter(prefix="/api/v1", tags=["people"])


def _free(name: str) -> str:
    if name == LOCAL_OPERATOR:
        raise ValueError(f"{name!r} stands for whoever holds the machine; choose another name")
    return name


def _good(password: str) -> str:
    if fault := password_fault(password):
        raise ValueError(fault.rstrip("."))
    return password


FeatureName = Annotated[str, Field(min_length=1, max_length=200)]
Password = Annotated[str, AfterValidator(_good)]


class UserWish(Strict):
    """A local user to be added."""

    name: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[\w.@+-]+$"), AfterValidator(_free)]
    password: Password
    role: Role | None = Field(
        default=None, description="What they may do at first; without it the first user is an admin, others viewers."
    )
    feature: FeatureName = Field(default=ALL, description="For which feature; `*` for every one.")


class PasswordWish(Strict):
    """A new password."""

    password: Password


class TokenWish(Strict):
    """An API token to be made."""

    name: str = Field(min_length=1, max_length=200, description="Which program it is for.")


class UserDocument(BaseModel):
    """A local user."""

    name: str
    created_at: datetime
    is_disabled: bool


class UserList(BaseModel):
    """Users by name."""

    users: list[UserDocument]


class TokenDocument(BaseModel):
    """An API token without its secret."""

    id: str
    name: str
    created_at: datetime
    created_by: str
    revoked_at: datetime | None


class NewTokenDocument(TokenDocument):
    """An API token with its secret, at the only moment it can be seen."""

    token: Annotated[str, Field(description="Keep it: it is not shown again.")]


class TokenList(BaseModel):
    """API tokens, the newest first."""

    tokens: list[TokenDocument]


class LinkDocument(BaseModel):
    """A link that signs its holder in, once."""

    path: Annotated[str, Field(description="Put the console's address in front of it.")]
    expires_at: datetime


@router.get("/users", summary="List users")
async def list_users(parts: Parts) -> UserList:
    """Return the local users by name."""
    return UserList(users=[_user(row) for row in await parts.control.people.list_users()])


@router.post("/users", status_code=201, summary="Add a user")
async def add_user(wish: UserWish, parts: Parts, by: By) -> UserDocument:
    """Add a user who may sign in to the console."""
    password_hash = await asyncio.to_thread(hash_password, wish.password)
    people = parts.control.people
    role = wish.role or ("viewer" if await people.list_users() else "admin")
    grants = [Grant(role, wish.feature)]
    return _user(await people.add_user(wish.name, password_hash, actor=by.name, grants=grants))


@router.post("/users/{name:path}/password", summary="Change a user's password")
async def set_password(name: str, wish: PasswordWish, parts: Parts, by: By) -> UserDocument:
    """Change a user's password; their sessions end."""
    password_hash = await asyncio.to_thread(hash_password, wish.password)
    return _user(await parts.control.people.set_password(name, password_hash, actor=by.name))


@router.post("/users/{name:path}/disable", summary="Keep a user out")
async def disable_user(name: str, parts: Parts, by: By) -> UserDocument:
    """Keep a user out from now on; their sessions end."""
    return _user(await parts.control.people.disable(name, actor=by.name))


@router.post("/users/{name:path}/enable", summary="Let a user in again")
async def enable_user(name: str, parts: Parts, by: By) -> UserDocument:
    """Let a user in again."""
    return _user(await parts.control.people.enable(name, actor=by.name))


@router.post("/login-links", status_code=201, summary="Make a one-time sign-in link")
async def create_link(parts: Parts, _: By) -> LinkDocument:
    """Make a link that signs somebody in once, within 15 minutes."""
    link = await make_link(parts)
    return LinkDocument(path=link.path, expires_at=link.ends_at)


@router.get("/tokens", summary="List API tokens")
async def list_tokens(parts: Parts) -> TokenList:
    """Return the API tokens without their secrets."""
    return TokenList(tokens=[_token(row) for row in await parts.control.people.list_tokens()])


@router.post("/tokens", status_code=201, summary="Make an API token")
async def add_token(wish: TokenWish, parts: Parts, by: By) -> NewTokenDocument:
    """Make a token for programs and return it whole; it cannot be shown again."""
    token = make_token(API_TOKEN_PREFIX)
    draft = TokenDraft(name=wish.name)
    row = await parts.control.people.add_token(parts.token_hasher.hash(token), draft, actor=by.name)
    return NewTokenDocument(**_token(row).model_dump(), token=token)


@router.post("/tokens/{token_id:path}/revoke", summary="Revoke an API token")
async def revoke_token(token_id: str, parts: Parts, by: By) -> TokenDocument:
    """End an API token at once."""
    return _token(await parts.control.people.revoke_token(token_id, actor=by.name))


def _user(row: UserRow) -> UserDocument:
    return UserDocument(name=row.name, created_at=row.created_at, is_disabled=row.is_disabled)


def _token(row: TokenRow) -> TokenDocument:
    return TokenDocument(**{name: getattr(row, name) for name in TokenDocument.model_fields})
