"""Who somebody is here that a provider has signed in: a user of their own, with the roles that its claims come to."""

import re
from collections.abc import Mapping
from typing import Any

from watchkeeper.access.roles import Grant
from watchkeeper.api.auth import RESERVED
from watchkeeper.api.oidc import SignInRefused
from watchkeeper.api.services import Services
from watchkeeper.config.sign_in import Oidc
from watchkeeper.store.people import UserRow, UserTaken

ACTOR = "oidc"
"""Who makes the changes that follow from a sign-in."""
NAME_PATTERN = re.compile(r"[\w.@+-]{1,100}")


async def user_of(claims: Mapping[str, Any], settings: Oidc, parts: Services) -> UserRow:
    """Return the user that somebody is, made at their first sign-in, with the roles as the claims have them now.

    Somebody is known by what the provider calls them for good (issuer and `sub`), never by a name or an address, which
    may pass to others.

    Raises:
        SignInRefused: they are kept out, have no role, or their name cannot be used.
    """
    identity = f"{settings.issuer} {claims['sub']}"
    wanted = grants_of(claims, settings)
    user = await parts.control.people.user_by_identity(identity)
    if user is None:
        user = await _newcomer(_name(claims, settings), identity, wanted, parts)
    if user.is_disabled:
        raise SignInRefused(f"The user {user.name} is kept out here. Nobody was signed in. An admin can change that.")
    await parts.control.grants.refresh(user.name, wanted, actor=ACTOR)
    if not await parts.control.grants.of(user.name):
        raise SignInRefused(_NO_ROLE)
    return user


def grants_of(claims: Mapping[str, Any], settings: Oidc) -> frozenset[Grant]:
    """Return the roles that claims come to; the default role only where they come to none."""
    found = {Grant(rule.role, rule.feature) for rule in settings.roles if _says(claims.get(rule.claim), rule.equals)}
    if not found and settings.default_role != "none":
        found = {Grant(settings.default_role)}
    return frozenset(found)


async def _newcomer(name: str, identity: str, wanted: frozenset[Grant], parts: Services) -> UserRow:
    """Return the user who was handed over under this name, or a new one."""
    people = parts.control.people
    adopted = await people.adopt(name, identity)
    if adopted is not None:
        return adopted
    if not wanted:
        raise SignInRefused(_NO_ROLE)
    try:
        return await people.add_user(name, "", actor=ACTOR, grants=wanted, identity=identity)
    except UserTaken:
        raise SignInRefused(
            f"There is a user {name} already who is not known to be you. Nobody was signed in. An admin can let that "
            f"user sign in this way from now on with `watchkeeper users hand-over {name}`."
        ) from None


_NO_ROLE = (
    "The provider knows you, but you have no role here, so nobody was signed in. Ask an admin, or whoever looks after "
    "`sign_in` in the configuration, which role you should have."
)


def _says(value: object, wanted: str) -> bool:
    """A claim says something alone or in a list; `true` and numbers are written as in JSON."""
    match value:
        case list():
            return any(_says(one, wanted) for one in value if not isinstance(one, list))
        case bool():
            return wanted == str(value).lower()
        case str() | int():
            return wanted == str(value)
        case _:
            return False


def _name(claims: Mapping[str, Any], settings: Oidc) -> str:
    name = claims.get(settings.name)
    if not isinstance(name, str) or NAME_PATTERN.fullmatch(name) is None or name in RESERVED:
        raise SignInRefused(
            f"The provider says nothing of you that can be a name here: `{settings.name}` must be 1 to 100 letters, "
            "digits and . @ + - _. Nobody was signed in. `sign_in.oidc.name` says which claim is used."
        )
    if settings.name == "email" and claims.get("email_verified", True) is not True:
        raise SignInRefused("The provider has not verified your address. Nobody was signed in. Verify it there.")
    return name
