"""The way in and out: sign in by link or password, sign out, choose the theme."""

from typing import Annotated, Any
from urllib.parse import quote, urlsplit

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from watchkeeper.api.auth import SESSION_COOKIE, operator_of, services_of
from watchkeeper.api.signin import Session, SignIn
from watchkeeper.console.commands import require_form
from watchkeeper.console.render import THEME_COOKIE, pages_of
from watchkeeper.console.shell import Theme
from watchkeeper.core.errors import CallerError

THEME_S = 365 * 86_400

router = APIRouter()


def login_href(request: Request) -> str:
    """Where to sign in, and come back to this page afterwards."""
    query = f"?{request.url.query}" if request.url.query else ""
    return f"/login?back={quote(request.url.path + query, safe='')}"


@router.get("/login")
async def login_page(request: Request, token: str = "", back: str = "/") -> Response:
    """Ask for name and password, or for a click on a one-time link: following a link alone must not use it up."""
    if not token and await operator_of(request) is not None:
        return RedirectResponse(_safe(back), 303)
    is_good = bool(token) and await _sign_in(request).is_link_good(token)
    return await _login(request, token=token, back=back, is_good=is_good, fault="")


@router.post("/login")
async def login(
    request: Request,
    name: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    token: Annotated[str, Form()] = "",
    back: Annotated[str, Form()] = "/",
) -> Response:
    """Begin a session, or say why not."""
    entrance = _sign_in(request)
    try:
        session = await entrance.by_link(token) if token else await entrance.by_password(name, password)
    except CallerError as error:
        page = await _login(request, token="", back=back, is_good=False, fault=str(error))
        page.status_code = error.http_status
        return page
    answer = RedirectResponse(_safe(back), 303)
    _keep(answer, session, is_secure=request.url.scheme == "https")
    return answer


@router.post("/logout")
async def logout(request: Request) -> Response:
    """End the session."""
    await require_form(request)
    await _sign_in(request).end(request.cookies.get(SESSION_COOKIE, ""))
    answer = RedirectResponse("/login", 303)
    answer.delete_cookie(SESSION_COOKIE)
    return answer


@router.post("/theme")
async def theme(theme: Annotated[Theme, Form()], back: Annotated[str, Form()] = "/") -> Response:
    """Keep the chosen theme; it says nothing of anybody, so no session is needed."""
    answer = RedirectResponse(_safe(back), 303)
    answer.set_cookie(THEME_COOKIE, theme, max_age=THEME_S, samesite="lax")
    return answer


async def _login(request: Request, *, token: str, back: str, is_good: bool, fault: str) -> HTMLResponse:
    has_users = bool(await services_of(request).control.people.list_users())
    values: dict[str, Any] = {
        "token": token,
        "back": _safe(back),
        "is_good": is_good,
        "fault": fault,
        "has_users": has_users,
    }
    return await pages_of(request).page(request, "login.html", title="Sign in", here="", **values)


def _sign_in(request: Request) -> SignIn:
    """The entrance, made once: it counts wrong guesses."""
    state = request.app.state
    if not hasattr(state, "sign_in"):
        state.sign_in = SignIn(services_of(request))
    entrance: SignIn = state.sign_in
    return entrance


def _keep(answer: Response, session: Session, *, is_secure: bool) -> None:
    answer.set_cookie(
        SESSION_COOKIE, session.token, expires=session.ends_at, httponly=True, samesite="lax", secure=is_secure
    )


def _safe(path: str) -> str:
    """A path of this console, so that a link cannot send anybody elsewhere."""
    parts = urlsplit(path)
    is_ours = path.startswith("/") and not path.startswith(("//", "/\\")) and not parts.scheme and not parts.netloc
    return path if is_ours and path.isprintable() and "\\" not in path else "/"
