"""The quality page of a feature, and links that show it to people who have no account."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.exceptions import HTTPException

from watchkeeper.access.throttle import GuessLimit
from watchkeeper.api.auth import SESSION_COOKIE, Operator, require_operator, services_of
from watchkeeper.api.permits import SOME, require
from watchkeeper.api.services import Services
from watchkeeper.api.shares import DAYS, SHARING, ShareWish, share, unshare
from watchkeeper.console.commands import require_form
from watchkeeper.console.evaluating import STYLES, asked_of
from watchkeeper.console.pages.evals import Asked, block_lines
from watchkeeper.console.pages.quality import WEEKS, QualityFound, WeekOfFeedback, quality_page, shared_page
from watchkeeper.console.pages.runs import quality_href
from watchkeeper.console.query import address
from watchkeeper.console.render import bare_shell, pages_of
from watchkeeper.console.reveals import Reveals
from watchkeeper.store.feedback import FeedbackFilter
from watchkeeper.store.run_history import RunBrief
from watchkeeper.store.share_links import DAYS_MAX
from watchkeeper.store.suites import SuiteRow

RUNS_DRAWN = 40
WEEK = timedelta(days=7)
HELD_MAX = 10
HIDDEN = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-robots-tag": "noindex, nofollow, noarchive",
}

router = APIRouter()
OPERATOR = [Depends(require_operator)]
By = Annotated[Operator, Depends(require_operator)]
Word = Annotated[str, Form(max_length=200)]


@router.get("/features/{name}/quality", dependencies=[*OPERATOR, *SOME])
async def quality(request: Request, name: str, by: By, made: str = "") -> Response:
    """What the suites of a feature show over time, what people said of it, and who else may see this page."""
    services, pages = services_of(request), pages_of(request)
    await require(services, by, "read", feature=name)
    may_share = any(by.rights.may(one, name) for one in ("write_releases", "operate"))
    found = await _found(services, name, with_shares=True)
    path = _reveals(request).take(made, session=request.cookies.get(SESSION_COOKIE, "")) if made else None
    href = quality_href(name)
    shown = f"{request.url.scheme}://{request.headers.get('host', '')}{path}" if path else ""
    page = quality_page(found, href=href, may_share=may_share, made=shown)
    shell = await pages.shell(request, title=f"Quality of {name}", here="features", styles=STYLES)
    return pages.answer("quality.html", page, shell)


@router.post("/features/{name}/shares", dependencies=[*OPERATOR, *SHARING])
async def make(request: Request, name: str, by: By, whom: Word = "", days: Word = str(DAYS)) -> Response:
    """Make a link, and show it once."""
    await require_form(request)
    lasts = min(max(int(days), 1), DAYS_MAX) if days.isascii() and days.isdigit() and len(days) < 5 else DAYS
    _, path = await share(services_of(request), by, ShareWish(feature=name, name=whom, days=lasts))
    ticket = _reveals(request).keep(path, session=request.cookies.get(SESSION_COOKIE, ""))
    return RedirectResponse(address(quality_href(name), made=ticket) + "#shares", 303)


@router.post("/shares/{share_id}/revoke", dependencies=[*OPERATOR, *SHARING])
async def take_back(request: Request, share_id: str, by: By) -> Response:
    """Take a link back."""
    await require_form(request)
    link = await unshare(services_of(request), by, share_id)
    return RedirectResponse(f"{quality_href(link.feature)}#shares", 303)


@router.get("/share/{token}")
async def shared(request: Request, token: str) -> Response:
    """Show the page of a good link to whoever holds it; of any other, say no more than that there is nothing."""
    services, pages, guesses = services_of(request), pages_of(request), _guesses(request)
    asker = request.client.host if request.client is not None else ""
    if guesses.wait_s(asker):
        raise HTTPException(429, "Too many links that lead nowhere were tried from this address. Try again later.")
    link = await services.control.share_links.opened(services.token_hasher.hash(token))
    if link is None:
        guesses.failed(asker)
        raise HTTPException(404)
    page = shared_page(await _found(services, link.feature), link)
    text = pages.html("share.html", page, bare_shell(request, title=f"Quality of {link.feature}"))
    return HTMLResponse(text, headers=HIDDEN)


async def _found(services: Services, feature: str, *, with_shares: bool = False) -> QualityFound:
    now = datetime.fromtimestamp(services.clock.unix_ns() / 1e9, UTC)
    control = services.control
    suites = await control.suites.latest({feature})
    runs, held, asked, weeks = await asyncio.gather(
        _runs(services, suites),
        control.run_history.gates_of(feature, has_passed=False, limit=HELD_MAX),
        asked_of(services, [feature]),
        _weeks(services, feature, now),
    )
    rules = services.release_basis().environments
    return QualityFound(
        feature=feature,
        suites=suites,
        runs=runs,
        held=held,
        feedback=weeks,
        blocks=block_lines(feature, asked.get(feature, Asked()), rules, {row.name for row in suites}) if suites else (),
        now=now,
        shares=await control.share_links.listed({feature}) if with_shares else (),
    )


async def _runs(services: Services, suites: list[SuiteRow]) -> dict[str, list[RunBrief]]:
    of_suite = services.control.run_history.of_suite
    return {row.name: await of_suite(row.feature, row.name, limit=RUNS_DRAWN) for row in suites}


async def _weeks(services: Services, feature: str, now: datetime) -> list[WeekOfFeedback]:
    begins = [now - WEEK * (WEEKS - place) for place in range(WEEKS)]
    said = await asyncio.gather(
        *(
            services.analytics.feedback.by_release(FeedbackFilter(feature=feature, since=since, until=since + WEEK))
            for since in begins
        )
    )
    return [WeekOfFeedback(since=since, said=found) for since, found in zip(begins, said, strict=True)]


def _reveals(request: Request) -> Reveals[str]:
    """Paths of links that were just made, made once."""
    state = request.app.state
    if not hasattr(state, "made_shares"):
        state.made_shares = Reveals[str](services_of(request).clock)
    reveals: Reveals[str] = state.made_shares
    return reveals


def _guesses(request: Request) -> GuessLimit:
    """Tokens that opened nothing, by address; counted once for all requests."""
    state = request.app.state
    if not hasattr(state, "share_guesses"):
        state.share_guesses = GuessLimit(services_of(request).clock)
    guesses: GuessLimit = state.share_guesses
    return guesses
