"""The way in with a provider: there, and back again."""

import logging
from urllib.parse import unquote

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from watchkeeper.api.auth import services_of
from watchkeeper.api.newcomers import user_of
from watchkeeper.api.oidc import RETURN_PATH, TICKET_S, Provider, ProviderAway, back_of
from watchkeeper.config.sign_in import Oidc
from watchkeeper.console.entry import entrance_of, keep_session, login_answer, safe_path
from watchkeeper.core.errors import CallerError

TICKET_COOKIE = "wk_oidc"
PATH = "/login/oidc"
BACK_MAX = 1_000
BROUGHT_MAX = 4_000
"""Letters of one parameter that is brought back."""

_log = logging.getLogger(__name__)
router = APIRouter()


class NoProvider(CallerError):
    """Nobody signs in here with a provider."""

    code = "no_sign_in_provider"
    http_status = 404


@router.get(PATH)
async def depart(request: Request, back: str = "/") -> Response:
    """Send the browser to the provider, with a ticket in a cookie that is good for one return."""
    settings = _settings(request)
    wanted = safe_path(back[:BACK_MAX])
    try:
        departure = await _provider(request, settings).depart(_console_url(request, settings), wanted)
    except ProviderAway as error:
        return await _refused(request, error, back=wanted)
    answer = RedirectResponse(departure.url, 303)
    answer.set_cookie(
        TICKET_COOKIE,
        departure.ticket,
        max_age=TICKET_S,
        path=PATH,
        httponly=True,
        samesite="lax",
        secure=_is_secure(request, settings),
    )
    return answer


@router.get(RETURN_PATH)
async def arrive(request: Request) -> Response:
    """Begin a session for whom the provider has signed in, or say why not; the ticket is used up either way."""
    settings = _settings(request)
    ticket = request.cookies.get(TICKET_COOKIE, "")
    brought = {name: value[:BROUGHT_MAX] for name, value in request.query_params.items()}
    back = safe_path(unquote(back_of(ticket)))
    try:
        claims = await _provider(request, settings).arrive(_console_url(request, settings), ticket, brought)
        user = await user_of(claims, settings, services_of(request))
    except (CallerError, ProviderAway) as error:
        answer = await _refused(request, error, back=back)
    else:
        answer = RedirectResponse(back, 303)
        session = await entrance_of(request).begin(user.name)
        keep_session(answer, session, is_secure=_is_secure(request, settings))
    answer.delete_cookie(TICKET_COOKIE, path=PATH)
    return answer


async def _refused(request: Request, error: CallerError | ProviderAway, *, back: str) -> Response:
    if isinstance(error, ProviderAway):
        _log.error("%s: %s", error.code, error)
    page = await login_answer(request, back=back, fault=str(error))
    page.status_code = error.http_status
    return page


def _provider(request: Request, settings: Oidc) -> Provider:
    """The provider as it is configured now; what is known of it is kept while that stays the same."""
    state = request.app.state
    known: Provider | None = getattr(state, "provider", None)
    if known is None or known.settings != settings:
        services = services_of(request)
        known = state.provider = Provider(settings, services.token_hasher, services.clock)
    return known


def _settings(request: Request) -> Oidc:
    settings = services_of(request).oidc()
    if settings is None:
        raise NoProvider("The configuration names no provider to sign in with; `sign_in.oidc` would.")
    return settings


def _console_url(request: Request, settings: Oidc) -> str:
    return settings.console_url.rstrip("/") or f"{request.url.scheme}://{request.url.netloc}"


def _is_secure(request: Request, settings: Oidc) -> bool:
    return _console_url(request, settings).startswith("https:")
