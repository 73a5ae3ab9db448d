"""Users, their roles, and sign-in links."""

import asyncio
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import AfterValidator, BaseModel, Field

from watchkeeper.access.passwords import hash_password, password_fault
from watchkeeper.access.roles import ALL, Grant, Permission, Role
from watchkeeper.api.auth import RESERVED, By, Parts
from watchkeeper.api.doubts import about_feature
from watchkeeper.api.permits import needs, require
from watchkeeper.api.services import Services
from watchkeeper.api.signin import make_link
from watchkeeper.api.strict import Strict
from watchkeeper.store.changes import changed
from watchkeeper.store.grants import GrantRow, Origin
from watchkeeper.store.people import UserRow, UserUnknown

OF_ALL = "A user belongs to no feature."
LOOKING = [needs("administer", "audit", because=OF_ALL)]
ADMINISTERING = [needs("administer", because=OF_ALL)]
ADMINISTERING_SOME = [needs("administer", somewhere=True)]

router = APIRouter(prefix="/api/v1", tags=["people"])


def _free(name: str) -> str:
    if name in RESERVED:
        raise ValueError(f"{name!r} stands for no user in the list of changes; choose another name")
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


class GrantWish(Strict):
    """A role to be given or taken away."""

    role: Role
    feature: FeatureName = Field(default=ALL, description="For which feature; `*` for every one.")


class GrantDocument(BaseModel):
    """A role that a user has."""

    role: Role
    feature: Annotated[str, Field(description="`*` for every one.")]
    origin: Annotated[Origin, Field(description="`oidc`: the provider says so, at each sign-in.")]
    granted_at: datetime
    granted_by: str


class UserDocument(BaseModel):
    """Somebody who may sign in, and what they may do."""

    name: str
    created_at: datetime
    is_disabled: bool
    origin: Annotated[Origin, Field(description="Where they sign in: `local` with a password, or `oidc`.")]
    grants: list[GrantDocument]


class ChangedUser(UserDocument):
    """Somebody whose roles were changed."""

    note: Annotated[str | None, Field(description="What the operator may have overlooked.")] = None


class UserList(BaseModel):
    """Users by name."""

    users: list[UserDocument]


class Me(BaseModel):
    """Who is asking, and what they may do."""

    name: Annotated[str, Field(description="As the list of changes names them.")]
    may: Annotated[dict[str, list[Permission]], Field(description="By feature; under `*` for every one.")]


class LinkDocument(BaseModel):
    """A link that signs its holder in, once."""

    path: Annotated[str, Field(description="Put the console's address in front of it.")]
    expires_at: datetime


@router.get("/me", summary="Who is asking", dependencies=[needs()])
async def me(by: By) -> Me:
    """Return whoever asks, with what they may do."""
    return Me(name=by.name, may={feature: sorted(held) for feature, held in by.rights.by_feature.items()})


@router.get("/users", summary="List users", dependencies=LOOKING)
async def list_users(parts: Parts) -> UserList:
    """Return the users by name, with their roles."""
    held: dict[str, list[GrantRow]] = {}
    for row in await parts.control.grants.every():
        held.setdefault(row.user, []).append(row)
    return UserList(users=[_user(row, held.get(row.name, [])) for row in await parts.control.people.list_users()])


@router.get("/users/{name:path}", summary="Show a user", dependencies=LOOKING)
async def show_user(name: str, parts: Parts) -> UserDocument:
    """Return one user with their roles."""
    return await _shown(await known_user(name, parts), parts)


@router.post("/users", status_code=201, summary="Add a user", dependencies=ADMINISTERING)
async def add_user(wish: UserWish, parts: Parts, by: By) -> ChangedUser:
    """Add a user who may sign in to the console."""
    password_hash = await asyncio.to_thread(hash_password, wish.password)
    people = parts.control.people
    role = wish.role or ("viewer" if await people.list_users() else "admin")
    grants = [Grant(role, wish.feature)]
    row = await people.add_user(wish.name, password_hash, actor=by.name, grants=grants)
    return await _changed(row, wish.feature, parts)


@router.post("/users/{name:path}/grant", summary="Give a user a role", dependencies=ADMINISTERING_SOME)
async def grant_role(name: str, wish: GrantWish, parts: Parts, by: By) -> ChangedUser:
    """Give a user a role for one feature or for all; it holds from their next request on."""
    await require(parts, by, "administer", feature=wish.feature)
    row = await known_user(name, parts)
    await parts.control.grants.give(row.name, Grant(wish.role, wish.feature), actor=by.name)
    return await _changed(row, wish.feature, parts)


@router.post("/users/{name:path}/withdraw", summary="Take a role from a user", dependencies=ADMINISTERING_SOME)
async def withdraw_role(name: str, wish: GrantWish, parts: Parts, by: By) -> UserDocument:
    """Take a role away; from their next request on they do not have it."""
    await require(parts, by, "administer", feature=wish.feature)
    row = await known_user(name, parts)
    await parts.control.grants.take(row.name, Grant(wish.role, wish.feature), actor=by.name)
    return await _shown(row, parts)


@router.post("/users/{name:path}/password", summary="Change a user's password", dependencies=ADMINISTERING)
async def set_password(name: str, wish: PasswordWish, parts: Parts, by: By) -> UserDocument:
    """Change a user's password; their sessions end."""
    password_hash = await asyncio.to_thread(hash_password, wish.password)
    return await _shown(await parts.control.people.set_password(name, password_hash, actor=by.name), parts)


@router.post("/users/{name:path}/hand-over", summary="Let a user sign in with the provider", dependencies=ADMINISTERING)
async def hand_over_user(name: str, parts: Parts, by: By) -> UserDocument:
    """Let a local user sign in with the provider from now on; their password and their sessions end."""
    return await _shown(await parts.control.people.hand_over(name, actor=by.name), parts)


@router.post("/users/{name:path}/disable", summary="Keep a user out", dependencies=ADMINISTERING)
async def disable_user(name: str, parts: Parts, by: By) -> UserDocument:
    """Keep a user out from now on; their sessions end."""
    return await _shown(await parts.control.people.disable(name, actor=by.name), parts)


@router.post("/users/{name:path}/enable", summary="Let a user in again", dependencies=ADMINISTERING)
async def enable_user(name: str, parts: Parts, by: By) -> UserDocument:
    """Let a user in again."""
    return await _shown(await parts.control.people.enable(name, actor=by.name), parts)


@router.post("/login-links", status_code=201, summary="Make a one-time sign-in link", dependencies=ADMINISTERING)
async def create_link(parts: Parts, by: By) -> LinkDocument:
    """Make a link that signs somebody in once, within 15 minutes, as whoever holds the machine."""
    link = await make_link(parts)
    summary = "made a sign-in link"
    await parts.control.changes.note("user", summary, actor=by.name, detail=changed(None, {"ends_at": link.ends_at}))
    return LinkDocument(path=link.path, expires_at=link.ends_at)


async def known_user(name: str, parts: Services) -> UserRow:
    """Return a user.

    Raises:
        UserUnknown: there is none of this name.
    """
    row = await parts.control.people.user(name)
    if row is None:
        raise UserUnknown(f"There is no user {name[:100]!r}. `watchkeeper users list` shows them.")
    return row


async def _changed(row: UserRow, feature: str, parts: Services) -> ChangedUser:
    shown = await _shown(row, parts)
    fields = {name: getattr(shown, name) for name in UserDocument.model_fields}
    return ChangedUser(**fields, note=about_feature(feature, parts))


async def _shown(row: UserRow, parts: Services) -> UserDocument:
    return _user(row, await parts.control.grants.of(row.name))


def _user(row: UserRow, held: list[GrantRow]) -> UserDocument:
    return UserDocument(
        name=row.name,
        created_at=row.created_at,
        is_disabled=row.is_disabled,
        origin=row.origin,
        grants=[
            GrantDocument(
                role=one.grant.role,
                feature=one.grant.feature,
                origin=one.origin,
                granted_at=one.granted_at,
                granted_by=one.granted_by,
            )
            for one in held
        ],
    )
