"""Feedback on calls and sessions: reports, lists, and sums by release."""

import secrets
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Self

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field, model_validator

from watchkeeper.api.auth import By, Operator, Parts
from watchkeeper.api.calls import CallUnknown
from watchkeeper.api.feedback_documents import FeedbackDocument, feedback_document, feedback_seen
from watchkeeper.api.filters import CallIdText, Moment, Word, read_moment
from watchkeeper.api.permits import SOME, needs, require
from watchkeeper.api.services import Services
from watchkeeper.api.strict import Strict
from watchkeeper.core.errors import CallerError
from watchkeeper.core.feedback import (
    COMMENT_LETTERS_MAX,
    DEFAULT_NAME,
    ID_LETTERS_MAX,
    LABEL_LETTERS_MAX,
    NAME_LETTERS_MAX,
    VALUE_MAX,
)
from watchkeeper.ingest.feedback import value_of
from watchkeeper.money.units import MILLI, written
from watchkeeper.store.feedback import FeedbackConflict, FeedbackFilter, FeedbackRow, Subject, same

PAGE_MAX = 1_000

router = APIRouter(prefix="/api/v1/feedback", tags=["feedback"])


class SessionUnknown(CallerError):
    """No call of the last 30 days belongs to this session."""

    code = "session_not_found"
    http_status = 404


class FeedbackWish(Strict):
    """What is said of a call or of a session."""

    call_id: Annotated[CallIdText, Field(description="The call it is about, or else `session`.")] = ""
    session: Annotated[
        Word, Field(description="The session it is about; it counts for the release of its latest call.")
    ] = ""
    feature: Annotated[Word, Field(description="With a session whose name several features use.")] = ""
    tenant: Annotated[Word, Field(description="With a session whose name several tenants use.")] = ""
    id: Annotated[
        str,
        Field(max_length=ID_LETTERS_MAX, description="The same id counts once; without one, one is made up."),
    ] = ""
    name: Annotated[
        str, Field(min_length=1, max_length=NAME_LETTERS_MAX, description="What was asked.", examples=["thumbs"])
    ] = DEFAULT_NAME
    score: Annotated[
        float | None, Field(ge=0, le=1, allow_inf_nan=False, description="0 is the worst, 1 the best.")
    ] = None
    label: Annotated[str, Field(max_length=LABEL_LETTERS_MAX, examples=["helpful"])] = ""
    comment: Annotated[
        str, Field(max_length=COMMENT_LETTERS_MAX, description="In a person's words; kept as bodies are.")
    ] = ""
    value: Annotated[
        Decimal | None,
        Field(
            ge=-VALUE_MAX,
            le=VALUE_MAX,
            decimal_places=3,
            allow_inf_nan=False,
            description="Units of value that the call was worth; they count in the cost of a unit.",
        ),
    ] = None

    @model_validator(mode="after")
    def _says_something_of_something(self) -> Self:
        if bool(self.call_id) == bool(self.session):
            raise ValueError("say on what: `call_id` or `session`")
        if self.call_id and (self.feature or self.tenant):
            raise ValueError("a call has its own feature and tenant; leave `feature` and `tenant` out")
        if self.score is None and not self.label and not self.comment and self.value is None:
            raise ValueError("say something: `score`, `label`, `comment` or `value`")
        if self.value is not None and not self.value:
            raise ValueError("`value`: 0 units say nothing; leave it out")
        return self


class FeedbackList(BaseModel):
    """Feedback, the newest first."""

    feedback: list[FeedbackDocument]


class ReleaseFeedbackDocument(BaseModel):
    """What was said of a release in an environment, under one name."""

    feature: str
    environment: str
    release: str
    name: str
    count: int
    scored: Annotated[int, Field(description="So many have a score.")]
    score_mean: float | None
    score_deviation: Annotated[float | None, Field(description="Standard deviation; null for fewer than two scores.")]
    labels: dict[str, int]
    value: Annotated[str, Field(description="Units of value that were reported with it.")]


class ReleaseFeedbackList(BaseModel):
    """Feedback by feature, environment, release and name."""

    releases: list[ReleaseFeedbackDocument]


class FeedbackQuery(Strict):
    """Which feedback: an empty value does not restrict, and all that are set must hold."""

    since: Annotated[Moment, Field(description="ISO 8601 time, or a span back from now: 90s, 15m, 1h, 7d, 2w.")] = ""
    until: Annotated[Moment, Field(description="As `since`; the end is not included.")] = ""
    feature: Word = ""
    tenant: Word = ""
    environment: Word = ""
    release: Word = ""
    rollout: Word = ""
    name: Word = ""
    label: Word = ""
    call_id: CallIdText = ""
    session: Word = ""

    def chosen(self, services: Services) -> FeedbackFilter:
        """Return the store's form."""
        now = _now(services)
        rest = self.model_dump(include=set(FeedbackQuery.model_fields) - {"since", "until"})
        return FeedbackFilter(since=read_moment(self.since, now), until=read_moment(self.until, now), **rest)


class FeedbackListQuery(FeedbackQuery):
    """Which feedback, and how much of it."""

    limit: Annotated[int, Field(ge=1, le=PAGE_MAX)] = 50


@router.post("", status_code=201, summary="Report feedback", dependencies=[needs("operate", somewhere=True)])
async def report(wish: FeedbackWish, parts: Parts, by: By, response: Response) -> FeedbackDocument:
    """Keep feedback; 201 for a new one, 200 for one that is there already."""
    subject = await _subject(wish, parts)
    await require(parts, by, "operate", feature=subject.feature)
    given = FeedbackRow(
        id=wish.id or secrets.token_hex(12),
        at=_now(parts),
        call_id=wish.call_id,
        session=wish.session or subject.session,
        feature=subject.feature,
        tenant=subject.tenant,
        release=subject.release,
        environment=subject.environment,
        rollout=subject.rollout,
        name=wish.name,
        score=wish.score,
        label=wish.label,
        comment=wish.comment,
        value_milli=None if wish.value is None else int(wish.value * MILLI),
        by=by.name,
    )
    ((kept, is_new),) = await parts.analytics.feedback.add([given])
    if not same(given, kept):
        raise FeedbackConflict(
            f"Feedback of the id {given.id[:60]!r} is there, and says something else; nothing was changed. "
            "Give each feedback an id of its own."
        )
    if event := value_of(kept, subject):
        await parts.analytics.value.add(event)
    if not is_new:
        response.status_code = 200
    return feedback_document(kept)


@router.get("", summary="List feedback, the newest first", dependencies=SOME)
async def list_feedback(query: Annotated[FeedbackListQuery, Query()], parts: Parts, by: By) -> FeedbackList:
    """Return what was said; comments only to who may read bodies."""
    rows = await parts.analytics.feedback.find(await _seen(query.chosen(parts), parts, by), limit=query.limit)
    return FeedbackList(feedback=[feedback_document(feedback_seen(row, by)) for row in rows])


@router.get("/by-release", summary="Feedback by release", dependencies=SOME)
async def by_release(query: Annotated[FeedbackQuery, Query()], parts: Parts, by: By) -> ReleaseFeedbackList:
    """Return how much was said of each release, its scores and its labels."""
    return ReleaseFeedbackList(
        releases=[
            ReleaseFeedbackDocument(
                feature=one.feature,
                environment=one.environment,
                release=one.release,
                name=one.name,
                count=one.count,
                scored=one.scored,
                score_mean=one.score_mean,
                score_deviation=one.score_deviation,
                labels=one.labels,
                value=written(one.value_milli),
            )
            for one in await parts.analytics.feedback.by_release(await _seen(query.chosen(parts), parts, by))
        ]
    )


async def _seen(chosen: FeedbackFilter, parts: Services, by: Operator) -> FeedbackFilter:
    """Limit a filter to what somebody may read.

    Raises:
        NotAllowed: a feature is asked for that they may not read.
    """
    if chosen.feature:
        await require(parts, by, "read", feature=chosen.feature)
    return replace(chosen, features=by.rights.features("read"))


async def _subject(wish: FeedbackWish, parts: Services) -> Subject:
    """Find the call, or the latest of the session.

    Raises:
        CallUnknown, SessionUnknown: there is none.
    """
    if wish.call_id:
        found = (await parts.analytics.feedback.calls([wish.call_id])).get(wish.call_id)
        if found is None:
            raise CallUnknown(
                f"There is no call {wish.call_id}; nothing was kept. A call can be found about a second after it has "
                "ended: report again then, under the same id."
            )
        return found
    calls = (await parts.analytics.feedback.sessions([wish.session], _now(parts))).get(wish.session, [])
    for one in calls:
        if wish.feature in ("", one.feature) and wish.tenant in ("", one.tenant):
            return one
    raise SessionUnknown(
        f"No call of the last 30 days belongs to the session {wish.session[:60]!r}; nothing was kept. A call can be "
        "found about a second after it has ended: report again then, under the same id."
    )


def _now(services: Services) -> datetime:
    return datetime.fromtimestamp(services.clock.unix_ns() / 1e9, UTC)
