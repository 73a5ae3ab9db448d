"""The way in and out: sign in by link or password, a password of one's own, sign out, choose the theme."""

import asyncio
from typing import Annotated
from urllib.parse import quote, urlsplit

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import ValidationError

from watchkeeper.access import passwords
from watchkeeper.access.roles import Grant
from watchkeeper.api.auth import LOCAL_OPERATOR, SESSION_COOKIE, Operator, operator_of, require_operator, services_of
from watchkeeper.api.people import UserWish
from watchkeeper.api.permits import needs
from watchkeeper.api.signin import Session, SignIn, SignInFailed
from watchkeeper.console.commands import require_form
from watchkeeper.console.pages.signin import AccountPage, SignInPage, Way
from watchkeeper.console.render import THEME_COOKIE, pages_of
from watchkeeper.console.shell import Theme
from watchkeeper.core.errors import CallerError

THEME_S = 365 * 86_400

router = APIRouter()
By = Annotated[Operator, Depends(require_operator)]
Text = Annotated[str, Form(max_length=500)]


class PasswordRefused(CallerError):
    """A new password cannot be taken, or the old one is wrong."""

    code = "password_refused"


def login_href(request: Request) -> str:
    """Where to sign in, and come back to this page afterwards."""
    query = f"?{request.url.query}" if request.url.query else ""
    return f"/login?back={quote(request.url.path + query, safe='')}"


@router.get("/login")
async def login_page(request: Request, token: str = "", back: str = "/") -> Response:
    """Ask for name and password, or for a click on a one-time link: following a link alone must not use it up."""
    if not token and await operator_of(request) is not None:
        return RedirectResponse(safe_path(back), 303)
    is_good = bool(token) and await entrance_of(request).is_link_good(token)
    way: Way = "link" if is_good else "dead_link" if token else "password"
    return await login_answer(request, way=way, token=token, back=back)


@router.post("/login")
async def login(request: Request, name: Text = "", password: Text = "", token: Text = "", back: Text = "/") -> Response:
    """Begin a session, or say why not; whoever comes by a link while there is no user is offered to become one."""
    entrance = entrance_of(request)
    try:
        session = await entrance.by_link(token) if token else await entrance.by_password(name, password)
    except CallerError as error:
        page = await login_answer(request, back=back, fault=str(error), name=name)
        page.status_code = error.http_status
        return page
    is_newcomer = bool(token) and not await services_of(request).control.people.list_users()
    answer = RedirectResponse(
        "/account?back=" + quote(safe_path(back), safe="") if is_newcomer else safe_path(back), 303
    )
    keep_session(answer, session, is_secure=request.url.scheme == "https")
    return answer


@router.get("/account", dependencies=[needs()])
async def account_page(request: Request, by: By, back: str = "/", done: str = "") -> Response:
    """Offer a name and a password to whoever came by a link, a new password to a user."""
    return await _account(request, by, back=back, notice="The new password is in force." if done else "")


@router.post("/account", dependencies=[needs()])
async def account(
    request: Request, by: By, name: Text = "", password: Text = "", current: Text = "", back: Text = "/"
) -> Response:
    """Make a user and go on as that user, or change one's own password, which ends one's sessions elsewhere."""
    await require_form(request)
    people = services_of(request).control.people
    try:
        if by.name != LOCAL_OPERATOR:
            wish = _wish(by.name, password)
            await _require_password(request, by.name, current)
            await people.set_password(by.name, await _hashed(wish.password), actor=by.name)
            after = "/account?done=1"
        else:
            wish = _wish(name, password)
            # Whoever came by a link of the machine may do everything, and so may the user they become.
            await people.add_user(wish.name, await _hashed(wish.password), actor=by.name, grants=[Grant("admin")])
            after = safe_path(back)
        session = await entrance_of(request).by_password(wish.name, wish.password)
    except CallerError as error:
        page = await _account(request, by, back=back, fault=str(error), name=name)
        page.status_code = error.http_status
        return page
    await entrance_of(request).end(request.cookies.get(SESSION_COOKIE, ""))
    answer = RedirectResponse(after, 303)
    keep_session(answer, session, is_secure=request.url.scheme == "https")
    return answer


@router.post("/logout")
async def logout(request: Request) -> Response:
    """End the session."""
    await require_form(request)
    await entrance_of(request).end(request.cookies.get(SESSION_COOKIE, ""))
    answer = RedirectResponse("/login", 303)
    answer.delete_cookie(SESSION_COOKIE)
    return answer


@router.post("/theme")
async def theme(theme: Annotated[Theme, Form()], back: Text = "/") -> Response:
    """Keep the chosen theme; it says nothing of anybody, so no session is needed."""
    answer = RedirectResponse(safe_path(back), 303)
    answer.set_cookie(THEME_COOKIE, theme, max_age=THEME_S, samesite="lax")
    return answer


def safe_path(path: str) -> str:
    """Return a path of this console, so that a link cannot send anybody elsewhere; "/" for anything else."""
    try:
        parts = urlsplit(path)
    except ValueError:
        return "/"
    is_ours = path.startswith("/") and not path.startswith("//") and not parts.scheme and not parts.netloc
    return path if is_ours and path.isprintable() and "\\" not in path else "/"


async def login_answer(
    request: Request, *, way: Way = "password", token: str = "", back: str, fault: str = "", name: str = ""
) -> HTMLResponse:
    """Show the page on which people sign in, with what went wrong before."""
    services = services_of(request)
    oidc = services.oidc()
    page = SignInPage(
        way=way,
        token=token,
        back=safe_path(back),
        fault=fault,
        name=name,
        has_users=bool(await services.control.people.list_users()),
        provider=oidc.label if oidc is not None else "",
        provider_href=f"/login/oidc?back={quote(safe_path(back), safe='')}",
    )
    pages = pages_of(request)
    return pages.answer("login.html", page, await pages.shell(request, title="Sign in"))


async def _account(
    request: Request, by: Operator, *, back: str, fault: str = "", notice: str = "", name: str = ""
) -> HTMLResponse:
    control = services_of(request).control
    user = await control.people.user(by.name)
    page = AccountPage(
        user=by.name,
        is_named=by.name != LOCAL_OPERATOR,
        is_from_provider=user is not None and user.origin != "local",
        may=tuple(dict.fromkeys(str(row.grant) for row in await control.grants.of(by.name))),
        password_letters_min=passwords.LENGTH_MIN,
        back=safe_path(back),
        fault=fault,
        notice=notice,
        name=name,
    )
    pages = pages_of(request)
    return pages.answer("account.html", page, await pages.shell(request, title="Account"))


async def _require_password(request: Request, name: str, password: str) -> None:
    """Go on only with a user's present password, counting wrong guesses as signing in does.

    Raises:
        PasswordRefused: it is another.
    """
    try:
        await entrance_of(request).by_password(name, password)
    except SignInFailed:
        raise PasswordRefused("The present password is wrong. Nothing was changed.") from None


def _wish(name: str, password: str) -> UserWish:
    """Check a name and a password as the control API does.

    Raises:
        PasswordRefused: one of them cannot be taken; the message says why.
    """
    try:
        return UserWish(name=name.strip(), password=password)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = "name" if first["loc"] == ("name",) else "password"
        raise PasswordRefused(f"{_FAULTS.get(first['type'], first['msg'])} ({field}). Nothing was changed.") from None


_FAULTS = {
    "string_pattern_mismatch": "A name is made of letters, digits and . @ + - _",
    "string_too_short": "It must not be empty",
    "string_too_long": "It is too long",
}


async def _hashed(password: str) -> str:
    return await asyncio.to_thread(passwords.hash_password, password)


def entrance_of(request: Request) -> SignIn:
    """The entrance, made once: it counts wrong guesses."""
    state = request.app.state
    if not hasattr(state, "sign_in"):
        state.sign_in = SignIn(services_of(request))
    entrance: SignIn = state.sign_in
    return entrance


def keep_session(answer: Response, session: Session, *, is_secure: bool) -> None:
    """Give the browser the cookie of a session."""
    answer.set_cookie(
        SESSION_COOKIE, session.token, expires=session.ends_at, httponly=True, samesite="lax", secure=is_secure
    )
