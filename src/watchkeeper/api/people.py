"""Users, API tokens and sign-in links."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from watchkeeper.access.passwords import hash_password, password_fault
from watchkeeper.access.tokens import API_TOKEN_PREFIX, make_token
from watchkeeper.api.auth import Operator, require_api_operator, services_of
from watchkeeper.core.errors import CallerError

router = APIRouter(prefix="/api/v1", tags=["people"])
By = Annotated[Operator, Depends(require_api_operator)]


class PasswordWeak(CallerError):
    """The password is not acceptable."""

    code = "password_weak"
    http_status = 422


class UserWish(BaseModel):
    """A local user to be added."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=100, pattern=r"^[\w.@+-]+$")
    password: str


class TokenWish(BaseModel):
    """An API token to be made."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=200)


@router.get("/users", summary="List users")
async def list_users(request: Request) -> dict[str, Any]:
    """Return the local users by name."""
    found = await services_of(request).control.people.list_users()
    return {"users": [{"name": user.name, "created_at": user.created_at.isoformat()} for user in found]}


@router.post("/users", status_code=201, summary="Add a user")
async def add_user(request: Request, wish: UserWish, by: By) -> dict[str, str]:
    """Add a user who may sign in to the console."""
    fault = password_fault(wish.password)
    if fault:
        raise PasswordWeak(fault)
    await services_of(request).control.people.add_user(wish.name, hash_password(wish.password), actor=by.name)
    return {"name": wish.name}


@router.post("/login-links", status_code=201, summary="Make a one-time sign-in link")
async def make_link(request: Request, _: By) -> dict[str, str]:
    """Return the path of a link that signs somebody in once, within 15 minutes."""
    services = services_of(request)
    token = make_token()
    await services.control.people.add_link(services.token_hasher.hash(token))
    return {"path": f"/login?token={token}"}


@router.get("/tokens", summary="List API tokens")
async def list_tokens(request: Request) -> dict[str, Any]:
    """Return the API tokens without their secrets."""
    found = await services_of(request).control.people.list_tokens()
    return {
        "tokens": [
            {
                "id": token.id,
                "name": token.name,
                "created_at": token.created_at.isoformat(),
                "created_by": token.created_by,
                "revoked_at": token.revoked_at.isoformat() if token.revoked_at else None,
            }
            for token in found
        ]
    }


@router.post("/tokens", status_code=201, summary="Make an API token")
async def add_token(request: Request, wish: TokenWish, by: By) -> dict[str, str]:
    """Make a token for programs and return it whole; it cannot be shown again."""
    services = services_of(request)
    token = make_token(API_TOKEN_PREFIX)
    row = await services.control.people.add_token(services.token_hasher.hash(token), name=wish.name, actor=by.name)
    return {"token": token, "id": row.id, "name": row.name}


@router.post("/tokens/{token_id}/revoke", summary="Revoke an API token")
async def revoke_token(request: Request, token_id: str, by: By) -> dict[str, str]:
    """End an API token at once."""
    await services_of(request).control.people.revoke_token(token_id, actor=by.name)
    return {"id": token_id}
