"""Review requests and votes: who wants a release in an environment, and what others say to it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Row, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from watchkeeper.core.clock import Clock
from watchkeeper.core.errors import CallerError
from watchkeeper.releases.rules import Verdict
from watchkeeper.store import moments
from watchkeeper.store.changes import changed, note
from watchkeeper.store.conflicts import insert_into
from watchkeeper.store.deciding import deciding
from watchkeeper.store.tables import review_requests, review_votes

LISTED_MAX = 500

RequestState = Literal["open", "promoted", "withdrawn"]


class RequestUnknown(CallerError):
    """There is no such review request."""

    code = "review_not_found"
    http_status = 404


class RequestClosed(CallerError):
    """The request is closed: what it asked for was promoted, or nobody wants it any more."""

    code = "review_closed"
    http_status = 409


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestDraft:
    """A wish that others look at a release before it is promoted."""

    feature: str
    release: str
    environment: str
    message: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VoteRow:
    """What somebody says to a request; the latest word of each person counts."""

    by: str
    verdict: Verdict
    at: datetime
    comment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRow:
    """A review request: for one release in one environment; another release needs another."""

    id: int
    feature: str
    release: str
    environment: str
    state: RequestState
    requested_by: str
    at: datetime
    message: str
    closed_at: datetime | None
    votes: tuple[VoteRow, ...]
    """The earliest first."""


class Reviews:
    """Keeps requests and votes, each noted as a change."""

    def __init__(self, engine: AsyncEngine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    async def request(self, draft: RequestDraft) -> tuple[RequestRow, bool]:
        """Ask for a review; return the request, and whether it is new: one that asks for the same stands for both."""
        async with deciding(self._engine) as connection:
            held = await open_request(connection, draft.feature, draft.release, draft.environment)
            if held is not None:
                return held, False
            values = {
                "feature": draft.feature, "release": draft.release, "environment": draft.environment, "state": "open",
                "requested_by": draft.by, "at": moments.now(self._clock), "message": draft.message,
            }  # fmt: skip
            row = (await connection.execute(insert(review_requests).values(**values).returning(review_requests))).one()
            what = f"asked for a review of {draft.release[:12]} of {draft.feature} for {draft.environment}"
            detail = {"request": row.id, "release": draft.release, **changed(None, {"message": draft.message})}
            await note(connection, self._clock, "release", what, actor=draft.by, detail=detail, feature=draft.feature)
            return _read(row, ()), True

    async def vote(self, request: int, verdict: Verdict, *, by: str, comment: str) -> RequestRow:
        """Say something to a request, instead of what the same person said before.

        Raises:
            RequestUnknown: there is none.
            RequestClosed: it is closed.
        """
        async with deciding(self._engine) as connection:
            held = await _known(connection, request)
            _require_open(held)
            before = next(({"verdict": vote.verdict} for vote in held.votes if vote.by == by), None)
            values = {"verdict": verdict, "at": moments.now(self._clock), "comment": comment}
            statement = insert_into(connection, review_votes).values(request=request, by=by, **values)
            known = [review_votes.c.request, review_votes.c.by]
            await connection.execute(statement.on_conflict_do_update(index_elements=known, set_=values))
            change = changed(before, {"verdict": verdict, "comment": comment})
            detail = {"request": request, "release": held.release, **change}
            verb = "approved" if verdict == "approve" else "rejected"
            what = f"{verb} {held.release[:12]} of {held.feature} for {held.environment}"
            await note(connection, self._clock, "release", what, actor=by, detail=detail, feature=held.feature)
            return await _known(connection, request)

    async def withdraw(self, request: int, *, by: str) -> RequestRow:
        """Close a request that nobody needs any more.

        Raises:
            RequestUnknown: there is none.
            RequestClosed: it is closed already.
        """
        async with deciding(self._engine) as connection:
            held = await _known(connection, request)
            _require_open(held)
            await close_request(connection, self._clock, request, "withdrawn")
            what = f"withdrew the review of {held.release[:12]} of {held.feature} for {held.environment}"
            detail = {"request": request, **changed({"state": "open"}, {"state": "withdrawn"})}
            await note(connection, self._clock, "release", what, actor=by, detail=detail, feature=held.feature)
            return await _known(connection, request)

    async def get(self, request: int) -> RequestRow:
        """Return a request. Raises RequestUnknown."""
        async with self._engine.connect() as connection:
            return await _known(connection, request)

    async def listed(
        self, *, feature: str = "", release: str = "", is_open: bool = False, features: Iterable[str] | None = None
    ) -> list[RequestRow]:
        """List requests, the latest first; only of some features, where they are given."""
        query = select(review_requests)
        if features is not None:
            query = query.where(review_requests.c.feature.in_(list(features)))
        if feature:
            query = query.where(review_requests.c.feature == feature)
        if release:
            query = query.where(review_requests.c.release == release)
        if is_open:
            query = query.where(review_requests.c.state == "open")
        async with self._engine.connect() as connection:
            rows = (await connection.execute(query.order_by(review_requests.c.id.desc()).limit(LISTED_MAX))).all()
            votes = await _votes(connection, [row.id for row in rows])
        return [_read(row, votes.get(row.id, ())) for row in rows]


async def open_request(connection: AsyncConnection, feature: str, release: str, environment: str) -> RequestRow | None:
    """Return the open request for a release in an environment, in a transaction that does more; None without one."""
    query = select(review_requests).where(
        review_requests.c.feature == feature,
        review_requests.c.release == release,
        review_requests.c.environment == environment,
        review_requests.c.state == "open",
    )
    row = (await connection.execute(query.order_by(review_requests.c.id.desc()).limit(1))).one_or_none()
    return None if row is None else _read(row, (await _votes(connection, [row.id])).get(row.id, ()))


async def close_request(connection: AsyncConnection, clock: Clock, request: int, state: RequestState) -> None:
    """Close a request in a transaction that does more."""
    values = {"state": state, "closed_at": moments.now(clock)}
    await connection.execute(update(review_requests).where(review_requests.c.id == request).values(**values))


async def _known(connection: AsyncConnection, request: int) -> RequestRow:
    row = (await connection.execute(select(review_requests).where(review_requests.c.id == request))).one_or_none()
    if row is None:
        raise RequestUnknown(f"There is no review request {request}. `watchkeeper release reviews` lists them.")
    return _read(row, (await _votes(connection, [request])).get(request, ()))


async def _votes(connection: AsyncConnection, requests: Iterable[int]) -> dict[int, tuple[VoteRow, ...]]:
    query = select(review_votes).where(review_votes.c.request.in_(list(requests))).order_by(review_votes.c.at)
    found: dict[int, tuple[VoteRow, ...]] = {}
    for row in (await connection.execute(query)).all():
        vote = VoteRow(by=row.by, verdict=row.verdict, at=moments.read_known(row.at), comment=row.comment)
        found[row.request] = (*found.get(row.request, ()), vote)
    return found


def _require_open(held: RequestRow) -> None:
    if held.state != "open":
        raise RequestClosed(
            f"Review request {held.id} is closed ({held.state}); nothing was done. Ask for another with "
            f"`watchkeeper release request {held.feature} {held.release} --to {held.environment}`."
        )


def _read(row: Row[Any], votes: tuple[VoteRow, ...]) -> RequestRow:
    return RequestRow(
        id=row.id,
        feature=row.feature,
        release=row.release,
        environment=row.environment,
        state=row.state,
        requested_by=row.requested_by,
        at=moments.read_known(row.at),
        message=row.message,
        closed_at=moments.read(row.closed_at),
        votes=votes,
    )
