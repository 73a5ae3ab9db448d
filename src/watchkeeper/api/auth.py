"""Who is asking: the machine's own operator over the socket, a program with a token, or a person who has signed in."""

from dataclasses import dataclass

from fastapi import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from watchkeeper.access.tokens import API_TOKEN_PREFIX
from watchkeeper.api.services import Services
from watchkeeper.core.errors import CallerError

SESSION_COOKIE = "wk_session"
_LOCAL = "watchkeeper.local"


class NotSignedIn(CallerError):
    """The request shows nobody who may ask this."""

    code = "not_signed_in"
    http_status = 401


@dataclass(frozen=True, slots=True)
class Operator:
    """Somebody who may see and change everything."""

    name: str


class LocalDoor:
    """Marks what comes in over the socket in the data folder: who can open it owns the folder."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request as the machine's own operator."""
        await self._app({**scope, _LOCAL: True}, receive, send)


def services_of(request: Request) -> Services:
    """Return the services the application was built with."""
    services: Services = request.app.state.services
    return services


async def operator_of(request: Request) -> Operator | None:
    """Find out who is asking; None when nobody is known."""
    if request.scope.get(_LOCAL):
        return Operator("local")
    services = services_of(request)
    people, hasher = services.control.people, services.token_hasher
    scheme, _, credential = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and credential.startswith(API_TOKEN_PREFIX):
        name = await people.token_name(hasher.hash(credential.strip()))
        return Operator(f"token:{name}") if name is not None else None
    session = request.cookies.get(SESSION_COOKIE)
    if session:
        user = await people.session_user(hasher.hash(session))
        return Operator(user) if user is not None else None
    return None


async def require_operator(request: Request) -> Operator:
    """Return who is asking.

    Raises:
        NotSignedIn: nobody who may.
    """
    operator = await operator_of(request)
    if operator is None:
        raise NotSignedIn(
            "Sign in at the console, or send `Authorization: Bearer wk-api-...`; "
            "make a token with `watchkeeper tokens create`."
        )
    return operator


async def require_api_operator(request: Request) -> Operator:
    """Return who is asking; a session's cookie alone may read but not change, so that no other site can use it.

    Raises:
        NotSignedIn: nobody who may, or a change that was asked for with nothing but a cookie.
    """
    operator = await require_operator(request)
    by_cookie = not request.scope.get(_LOCAL) and "authorization" not in request.headers
    if by_cookie and request.method not in ("GET", "HEAD"):
        raise NotSignedIn("Changes over the API need an API token; a browser's session is not enough.")
    return operator
