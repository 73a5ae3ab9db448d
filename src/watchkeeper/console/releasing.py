"""The page of a release, and what is done there: asking for a review, promoting, rolling back."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse

from watchkeeper.api.auth import Operator, require_operator, services_of
from watchkeeper.api.environments import PromotionWish, RollbackWish
from watchkeeper.api.environments import promote as promote_release
from watchkeeper.api.environments import rollback as roll_back_release
from watchkeeper.api.permits import SOME, needs, require
from watchkeeper.api.reviews import ReviewWish, VoteWish
from watchkeeper.api.reviews import request as request_review
from watchkeeper.api.reviews import vote as vote_on_review
from watchkeeper.api.rollouts import ArmWish, RolloutWish, start_rollout
from watchkeeper.api.services import Services
from watchkeeper.console.commands import require_form
from watchkeeper.console.featuring import STYLES, permits_of
from watchkeeper.console.pages.features import feature_href
from watchkeeper.console.pages.live import USUAL
from watchkeeper.console.pages.release import PlaceLine, ReleaseFound, RolloutLink, release_page, stood_before
from watchkeeper.console.pages.reviews import gate_lines, review_lines
from watchkeeper.console.pages.rollouts import head_of, rollout_line
from watchkeeper.console.query import read_query
from watchkeeper.console.render import pages_of
from watchkeeper.core.errors import OperatorError
from watchkeeper.store.clearance import Wish
from watchkeeper.store.environments import StandingRow
from watchkeeper.store.feedback import FeedbackFilter
from watchkeeper.store.releases import ReleaseRow
from watchkeeper.store.rows import CallFilter

DEFAULT_WINDOW = "7d"

router = APIRouter(dependencies=[Depends(require_operator)])
By = Annotated[Operator, Depends(require_operator)]
Name = Annotated[str, Form(max_length=200)]
Said = Annotated[str, Form(max_length=1_000)]


@router.get("/releases/{release}", dependencies=SOME)
async def release(request: Request, release: str, by: By, environment: str = "") -> Response:
    """A release: its recipe, what it changes, who approved it, how it fares, where it is live and was."""
    services, pages = services_of(request), pages_of(request)
    row = await known_release(services, by, release)
    now = datetime.fromtimestamp(services.clock.unix_ns() / 1e9, UTC)
    window = {one: request.query_params.get(one, "") for one in ("window", "since", "until")}
    path = f"/releases/{row.id}"
    query = replace(
        read_query(window, now=now, default_window=DEFAULT_WINDOW), path=path, own={"environment": environment[:100]}
    )
    found = await _found(services, row, environment[:100], query.window.steps(now)[:2])
    page = release_page(found, query, permits_of(by, row.feature))
    shell = await pages.shell(request, title=f"Release {page.short}", here="features", styles=STYLES)
    return pages.answer("release.html", page, shell)


@router.post("/releases/{release}/request", dependencies=[needs("write_releases", "promote", somewhere=True)])
async def ask_for_review(
    request: Request, response: Response, release: str, by: By, environment: Name, message: Said = ""
) -> Response:
    """Ask others to look at a release before it goes to an environment."""
    await require_form(request)
    services = services_of(request)
    row = await known_release(services, by, release)
    await request_review(ReviewWish(release=row.id, environment=environment, message=message), services, by, response)
    return RedirectResponse(f"/releases/{row.id}#reviews", 303)


@router.post("/releases/{release}/promote", dependencies=[needs("promote", somewhere=True)])
async def promote(request: Request, release: str, by: By, environment: Name, reason: Said = "") -> Response:
    """Have a release serve in an environment, if its rules hold."""
    await require_form(request)
    services = services_of(request)
    row = await known_release(services, by, release)
    wish = PromotionWish(feature=row.feature, release=row.id, message=reason.strip())
    await promote_release(environment, wish, services, by)
    return RedirectResponse(f"/releases/{row.id}", 303)


@router.post("/releases/{release}/canary", dependencies=[needs("promote", somewhere=True)])
async def start_canary(request: Request, release: str, by: By, environment: Name, reason: Said = "") -> Response:
    """Try a release beside the one that stands, for few at first and for more as it proves itself."""
    await require_form(request)
    services = services_of(request)
    row = await known_release(services, by, release)
    arms = [ArmWish(release=row.id)]
    wish = RolloutWish(feature=row.feature, environment=environment, arms=arms, reason=reason.strip())
    started = await start_rollout(wish, services, by)
    return RedirectResponse(f"/rollouts/{started.id}", 303)


@router.post("/releases/{release}/rollback", dependencies=[needs("promote", somewhere=True)])
async def roll_back(request: Request, release: str, by: By, environment: Name, reason: Said = "") -> Response:
    """Have what stood in an environment before serve again."""
    await require_form(request)
    services = services_of(request)
    row = await known_release(services, by, release)
    await roll_back_release(environment, RollbackWish(feature=row.feature, message=reason.strip()), services, by)
    return RedirectResponse(feature_href(row.feature), 303)


@router.post("/reviews/{review}", dependencies=[needs("approve", somewhere=True)])
async def vote(request: Request, review: int, by: By, verdict: Name, comment: Said = "") -> Response:
    """Approve or reject a release that somebody has asked about."""
    await require_form(request)
    services = services_of(request)
    wish = VoteWish(verdict="approve" if verdict == "approved" else "reject", comment=comment.strip())
    await vote_on_review(review, wish, services, by)
    row = await services.control.reviews.get(review)
    return RedirectResponse(f"/releases/{row.release}#review-{review}", 303)


async def known_release(services: Services, by: Operator, named: str) -> ReleaseRow:
    """Return a release by its id or a beginning of it.

    Raises:
        ReleaseUnknown: there is none.
        NotAllowed: who asks may not read its feature.
    """
    row = await services.control.releases.get(named)
    await require(services, by, "read", feature=row.feature)
    return row


async def _found(
    services: Services, row: ReleaseRow, environment: str, window: tuple[datetime, datetime]
) -> ReleaseFound:
    control = services.control
    standings, history, head = await asyncio.gather(
        control.environments.current(row.feature),
        control.environments.history(row.feature),
        control.releases.head(row.feature),
    )
    place = environment or _place(row.id, standings, history)
    previous = stood_before(history, place, row.id)
    standing = next((one.release for one in standings if one.environment == place), "")
    said = FeedbackFilter(feature=row.feature, since=window[0], until=window[1])
    known, fares, reviews, gates, places = await asyncio.gather(
        control.releases.several([one for one in (row.parent, standing) if one]),
        services.analytics.releases.releases(CallFilter(feature=row.feature, since=window[0], until=window[1])),
        control.reviews.listed(release=row.id),
        control.gates.of(row.id),
        _places(services, row, standings),
    )
    return ReleaseFound(
        row=row,
        head=head,
        parent=known.get(row.parent),
        standings=standings,
        standing=known.get(standing),
        history=history,
        figures=fares,
        previous=previous,
        environment=place,
        feedback=await services.analytics.feedback.by_release(said),
        reviews=review_lines(reviews),
        gates=gate_lines(gates),
        places=places,
        rollouts=await _rollouts(services, row),
    )


async def _rollouts(services: Services, row: ReleaseRow) -> tuple[RolloutLink, ...]:
    """Return the rollouts in which a release was tried: the evidence for it, or against it."""
    found = await services.control.rollouts.list_rollouts(row.feature)
    lines = [rollout_line(head_of(one)) for one in found if row.id in [arm.release for arm in one.arms]]
    return tuple(RolloutLink(line.href, f"{line.what}, {line.environment}", line.state, line.outcome) for line in lines)


async def _places(services: Services, row: ReleaseRow, standings: list[StandingRow]) -> tuple[PlaceLine, ...]:
    """Say for each environment what stands in the way; where the configuration cannot be read, nothing is offered."""
    try:
        rules = services.release_basis().environments
    except OperatorError:
        return ()
    live = {one.environment for one in standings if one.release == row.id and one.rollout is None}
    lines = []
    for name, asked in rules.items():
        wish = Wish(feature=row.feature, environment=name, release=row.id)
        lacks = [] if name in live else await services.control.promotions.lacking(wish, asked)
        beside = next((one for one in standings if one.environment == name), None)
        may_be_tried = beside is not None and beside.release not in ("", row.id) and beside.rollout is None
        lines.append(PlaceLine(name, "; ".join(lack.message for lack in lacks), name in live, may_be_tried))
    return tuple(sorted(lines, key=lambda line: USUAL.index(line.environment) if line.environment in USUAL else 9))


def _place(release: str, standings: list[StandingRow], history: list[StandingRow]) -> str:
    """Choose the environment whose calls are compared: where it is live, else where it was last, else production."""
    live = [one.environment for one in standings if one.release == release or _is_tried(one, release)]
    was = [one.environment for one in history if one.release == release or _is_tried(one, release)]
    return next((one for one in USUAL if one in live), (live or was or [USUAL[0]])[0])


def _is_tried(row: StandingRow, release: str) -> bool:
    return row.rollout is not None and any(arm.release == release for arm in row.rollout.arms)
