"""Reviews: asking others to look at a release before it is promoted, and saying yes or no."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from watchkeeper.api.auth import By, Parts
from watchkeeper.api.environments import LackDocument, rules_of
from watchkeeper.api.permits import SOME, needs, require
from watchkeeper.api.releases import find_release
from watchkeeper.api.services import Services
from watchkeeper.api.strict import Strict
from watchkeeper.store.clearance import Wish
from watchkeeper.store.reviews import RequestDraft, RequestRow

NAME_MAX = 200
MESSAGE_MAX = 10_000

ASKING = [needs("write_releases", "promote", somewhere=True)]
VOTING = [needs("approve", somewhere=True)]

router = APIRouter(prefix="/api/v1/reviews", tags=["reviews"])


class ReviewWish(Strict):
    """A release that others are to look at."""

    release: str = Field(min_length=1, max_length=NAME_MAX, description="Id, `FEATURE` or `FEATURE@ENVIRONMENT`.")
    environment: str = Field(min_length=1, max_length=NAME_MAX)
    message: str = Field(default="", max_length=MESSAGE_MAX)


class VoteWish(Strict):
    """What somebody says to it."""

    verdict: Literal["approve", "reject"]
    comment: str = Field(default="", max_length=MESSAGE_MAX)


class VoteDocument(BaseModel):
    """What somebody says to a request; the latest word of each person counts."""

    by: str
    verdict: Literal["approve", "reject"]
    at: datetime
    comment: str


class ReviewDocument(BaseModel):
    """A review request: for one release in one environment."""

    id: int
    feature: str
    release: str
    environment: str
    state: Literal["open", "promoted", "withdrawn"]
    requested_by: str
    at: datetime
    message: str
    closed_at: datetime | None
    votes: list[VoteDocument]


class ReviewState(ReviewDocument):
    """A review request, and what is missing before the release can be promoted."""

    missing: list[LackDocument]


class ReviewList(BaseModel):
    """Review requests, the latest first."""

    reviews: list[ReviewDocument]


@router.post("", status_code=201, summary="Ask for a review", dependencies=ASKING)
async def request(wish: ReviewWish, parts: Parts, by: By, response: Response) -> ReviewState:
    """Ask others to approve of a release for an environment; where somebody has, that request is returned (200)."""
    rules_of(parts, wish.environment)
    row = await find_release(parts, wish.release)
    await require(parts, by, "write_releases", "promote", feature=row.feature)
    draft = RequestDraft(
        feature=row.feature, release=row.id, environment=wish.environment, message=wish.message, by=by.name
    )
    found, is_new = await parts.control.reviews.request(draft)
    if not is_new:
        response.status_code = 200
    return await _state(parts, found)


@router.get("", summary="List review requests", dependencies=SOME)
async def list_reviews(
    parts: Parts,
    by: By,
    feature: Annotated[str, Query(max_length=NAME_MAX)] = "",
    release: Annotated[str, Query(max_length=NAME_MAX, description="A whole id.")] = "",
    open: Annotated[bool, Query(description="Only those that are open.")] = False,  # noqa: A002 - the query's name
) -> ReviewList:
    """List review requests."""
    if feature:
        await require(parts, by, "read", feature=feature)
    seen = by.rights.features("read")
    rows = await parts.control.reviews.listed(feature=feature, release=release, is_open=open, features=seen)
    return ReviewList(reviews=[ReviewDocument(**_fields(row)) for row in rows])


@router.get("/{review}", summary="Read a review request", dependencies=SOME)
async def read_review(review: int, parts: Parts, by: By) -> ReviewState:
    """Return a request with its votes, and what is missing before the release can be promoted."""
    held = await parts.control.reviews.get(review)
    await require(parts, by, "read", feature=held.feature)
    return await _state(parts, held)


@router.post("/{review}/votes", summary="Approve or reject", dependencies=VOTING)
async def vote(review: int, wish: VoteWish, parts: Parts, by: By) -> ReviewState:
    """Say something to a request, instead of what the same person said before."""
    await require(parts, by, "approve", feature=(await parts.control.reviews.get(review)).feature)
    held = await parts.control.reviews.vote(review, wish.verdict, by=by.name, comment=wish.comment)
    return await _state(parts, held)


@router.post("/{review}/withdraw", summary="Withdraw a request", dependencies=ASKING)
async def withdraw(review: int, parts: Parts, by: By) -> ReviewState:
    """Close a request that nobody needs any more."""
    feature = (await parts.control.reviews.get(review)).feature
    await require(parts, by, "write_releases", "promote", feature=feature)
    return await _state(parts, await parts.control.reviews.withdraw(review, by=by.name))


async def _state(parts: Services, row: RequestRow) -> ReviewState:
    missing: list[LackDocument] = []
    rules = parts.release_basis().environments.get(row.environment)
    if row.state == "open" and rules is not None:
        wish = Wish(feature=row.feature, environment=row.environment, release=row.release)
        lacks = await parts.control.promotions.lacking(wish, rules)
        missing = [LackDocument(rule=lack.rule, message=lack.message) for lack in lacks]
    return ReviewState(missing=missing, **_fields(row))


def _fields(row: RequestRow) -> dict[str, Any]:
    votes = [VoteDocument(by=one.by, verdict=one.verdict, at=one.at, comment=one.comment) for one in row.votes]
    names = ("id", "feature", "release", "environment", "state", "requested_by", "at", "message", "closed_at")
    return {name: getattr(row, name) for name in names} | {"votes": votes}
