"""Who is asking: the machine's own operator over the socket, a program with a token, or a person who has signed in."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from watchkeeper.access.roles import EVERYTHING, Rights, rights_of
from watchkeeper.access.tokens import API_TOKEN_PREFIX
from watchkeeper.api.services import Services
from watchkeeper.core.errors import CallerError

SESSION_COOKIE = "wk_session"
LOCAL_OPERATOR = "local"
"""Whoever holds the machine: may open the socket in the data folder, or has a one-time link. No user has this name."""
RESERVED = frozenset({LOCAL_OPERATOR, "file", "keeper", "migration", "oidc"})
"""Names under which changes are noted that no user has made."""
READING = frozenset({"GET", "HEAD"})
_LOCAL = "watchkeeper.local"


class NotSignedIn(CallerError):
    """The request shows nobody who may ask this."""

    code = "not_signed_in"
    http_status = 401


class CookieIsNotEnough(CallerError):
    """A change was asked for with nothing but a browser's session."""

    code = "token_needed"
    http_status = 403


@dataclass(frozen=True, slots=True)
class Operator:
    """Somebody who is known, and what they may do."""

    name: str
    """As the list of changes names them: a user, `token:NAME`, or `local`."""
    rights: Rights
    is_by_cookie: bool = False
    """Known by nothing but a browser's session, which a page of another site may make use of."""


class LocalDoor:
    """Marks what comes in over the socket in the data folder: who can open it owns the folder."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request as the machine's own operator; nothing that a request can say sets this mark."""
        await self._app({**scope, _LOCAL: True}, receive, send)


def services_of(request: Request) -> Services:
    """Return the services the application was built with."""
    services: Services = request.app.state.services
    return services


async def operator_of(request: Request) -> Operator | None:
    """Find out who is asking; None when nobody is known. A request asks the database once."""
    known: Operator | None = getattr(request.state, "operator", None)
    if known is None:
        known = request.state.operator = await _found(request)
    return known


async def require_operator(request: Request) -> Operator:
    """Return who is asking.

    Raises:
        NotSignedIn: nobody who is known.
    """
    operator = await operator_of(request)
    if operator is None:
        raise NotSignedIn(
            "Nobody is signed in, or no longer; nothing was done. Sign in at the console, or send "
            "`Authorization: Bearer wk-api-...` with a token from `watchkeeper tokens create`."
        )
    return operator


async def require_api_operator(request: Request) -> Operator:
    """Return who is asking; a session's cookie alone may read but not change, so that no other site can use it.

    Raises:
        NotSignedIn: nobody who is known.
        CookieIsNotEnough: a change was asked for with nothing but a cookie.
    """
    operator = await require_operator(request)
    if operator.is_by_cookie and request.method not in READING:
        raise CookieIsNotEnough(
            "A browser's session may read over the API but not change anything; nothing was done. "
            "Send an API token, or use the console."
        )
    return operator


async def _found(request: Request) -> Operator | None:
    if request.scope.get(_LOCAL):
        return Operator(LOCAL_OPERATOR, EVERYTHING)
    services = services_of(request)
    people, hasher = services.control.people, services.token_hasher
    scheme, _, credential = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and credential.strip().startswith(API_TOKEN_PREFIX):
        token = await people.valid_token(hasher.hash(credential.strip()))
        return Operator(f"token:{token.name}", token.rights) if token is not None else None
    session = request.cookies.get(SESSION_COOKIE)
    user = await people.session_user(hasher.hash(session)) if session else None
    if user is None:
        return None
    if user == LOCAL_OPERATOR:
        return Operator(user, EVERYTHING, is_by_cookie=True)
    held = [row.grant for row in await services.control.grants.of(user)]
    return Operator(user, rights_of(held), is_by_cookie=True)


By = Annotated[Operator, Depends(require_api_operator)]
Parts = Annotated[Services, Depends(services_of)]
