"""The page about access, and its forms: each is checked as the control API checks, and noted as a change."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse

from watchkeeper.access.roles import ALL, ROLES, Grant
from watchkeeper.api.auth import LOCAL_OPERATOR, Operator, require_operator, services_of
from watchkeeper.api.people import ADMINISTERING, ADMINISTERING_SOME, known_user
from watchkeeper.api.permits import needs, require
from watchkeeper.console.commands import require_form
from watchkeeper.console.pages.access import PATH, AccessFound, access_page
from watchkeeper.console.pages.access_patterns import access_patterns
from watchkeeper.console.pages.patterns import HOSTILE, LONG
from watchkeeper.console.query import address
from watchkeeper.console.render import pages_of
from watchkeeper.core.errors import CallerError

FIND_MAX = 100

router = APIRouter(dependencies=[Depends(require_operator)])
By = Annotated[Operator, Depends(require_operator)]
Word = Annotated[str, Form(max_length=200)]


class RoleUnknown(CallerError):
    """There is no such role."""

    code = "role_not_found"


@router.get(PATH, dependencies=[needs()])
async def access(request: Request, by: By, find: str = "") -> Response:
    """Who may do what; users and tokens for admins and auditors."""
    services, pages = services_of(request), pages_of(request)
    control, is_owner = services.control, by.name == LOCAL_OPERATOR
    readable = by.rights.features("read")
    users, grants, tokens, shares = await asyncio.gather(
        control.people.list_users(),
        control.grants.every(),
        control.people.list_tokens(),
        control.share_links.listed(readable),
    )
    declared = services.declared_features()
    page = access_page(
        AccessFound(users=users, grants=grants, tokens=tokens, features=declared, shares=shares),
        own=None if is_owner else [row.grant for row in grants if row.user == by.name],
        readable=readable,
        find=find.strip()[:FIND_MAX],
        now=datetime.fromtimestamp(services.clock.unix_ns() / 1e9, UTC),
        is_whole=by.rights.may("administer") or by.rights.may("audit"),
    )
    return pages.answer("access.html", page, await pages.shell(request, title="Access", here="access"))


@router.post("/access/grant", dependencies=ADMINISTERING_SOME)
async def grant(request: Request, by: By, user: Word, role: Word, feature: Word = "") -> Response:
    """Give a user a role."""
    await require_form(request)
    services, wanted = services_of(request), _grant(role, feature)
    await require(services, by, "administer", feature=wanted.feature)
    row = await known_user(user.strip(), services)
    await services.control.grants.give(row.name, wanted, actor=by.name)
    return RedirectResponse(address(PATH, find=row.name), 303)


@router.post("/access/withdraw", dependencies=ADMINISTERING_SOME)
async def withdraw(request: Request, by: By, user: Word, role: Word, feature: Word = "") -> Response:
    """Take a role from a user."""
    await require_form(request)
    services, wanted = services_of(request), _grant(role, feature)
    await require(services, by, "administer", feature=wanted.feature)
    row = await known_user(user.strip(), services)
    await services.control.grants.take(row.name, wanted, actor=by.name)
    return RedirectResponse(address(PATH, find=row.name), 303)


@router.post("/access/tokens/{token_id}/revoke", dependencies=ADMINISTERING)
async def revoke(request: Request, token_id: str, by: By) -> Response:
    """End an API token at once."""
    await require_form(request)
    await services_of(request).control.people.revoke_token(token_id, actor=by.name)
    return RedirectResponse(f"{PATH}#tokens", 303)


@router.get("/patterns/access", dependencies=[needs()])
async def patterns_of_access(request: Request) -> Response:
    """Every component of the page about access."""
    pages = pages_of(request)
    shell = await pages.shell(request, title="Patterns of access")
    return pages.answer("patterns_access.html", access_patterns(hostile=HOSTILE, long=LONG), shell)


def _grant(role: str, feature: str) -> Grant:
    known = next((one for one in ROLES if one == role), None)
    if known is None:
        raise RoleUnknown(f"There is no role {role[:40]!r}; there are {', '.join(ROLES)}. Nothing was changed.")
    return Grant(known, feature.strip() or ALL)
