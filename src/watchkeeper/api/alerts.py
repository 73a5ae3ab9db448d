"""Alerts: list, resolve, judge; what is on its way to whom; a test of a destination."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from watchkeeper.api.auth import By, Parts
from watchkeeper.api.permits import needs
from watchkeeper.api.strict import Strict
from watchkeeper.config.problems import did_you_mean
from watchkeeper.core.alert import AlertKind, Feedback, MessageEvent, Severity
from watchkeeper.core.errors import CallerError
from watchkeeper.incidents.message import Message
from watchkeeper.incidents.outcome import Delivered
from watchkeeper.incidents.post import Post
from watchkeeper.store.alerts import LISTED_MAX, AlertRow
from watchkeeper.store.changes import changed
from watchkeeper.store.outbox import MessageRow, MessageState

NAME_MAX = 100

OF_ALL = "Alerts tell of budgets and prices that several features share."
READING = [needs("read", because=OF_ALL)]
ANSWERING = [needs("operate", "money", because=OF_ALL)]

router = APIRouter(prefix="/api/v1/alerts", tags=["alerts"])


class DestinationUnknown(CallerError):
    """The configuration has no destination of this name."""

    code = "destination_not_found"
    http_status = 404


class AlertQuery(Strict):
    """Which alerts are listed."""

    open: bool = Field(default=False, description="Only those that are not resolved.")
    kind: AlertKind | None = Field(default=None, description="Only those of this kind.")
    limit: int = Field(default=100, ge=1, le=LISTED_MAX)


class AlertDocument(BaseModel):
    """An alert that was raised."""

    id: str
    kind: AlertKind
    key: Annotated[str, Field(description="What it is about; of one kind and key, one alert is open at a time.")]
    severity: Severity
    title: str
    text: Annotated[str, Field(description="What happened, in figures; where to look; what to do.")]
    facts: Annotated[dict[str, Any], Field(description="The same for programs.")]
    raised_at: datetime
    resolved_at: Annotated[datetime | None, Field(description="Null while it is open.")]
    resolved_by: str | None
    resolution: Annotated[str | None, Field(description="Why it is over.")]
    feedback: Annotated[Feedback | None, Field(description="What somebody thought of it.")]


class AlertList(BaseModel):
    """Alerts, the newest first."""

    alerts: list[AlertDocument]


class MessageDocument(BaseModel):
    """A message about an alert, for one destination."""

    id: Annotated[str, Field(description="The same at every attempt: receivers know a repetition by it.")]
    alert_id: str
    event: MessageEvent
    destination: str
    state: Annotated[MessageState, Field(description="`dead`: given up; it can be tried again by hand.")]
    attempts: int
    created_at: datetime
    due_at: Annotated[datetime | None, Field(description="When it is tried next; null unless it waits.")]
    delivered_at: datetime | None
    answer: Annotated[str | None, Field(description="What came back at the last attempt.")]


class MessageList(BaseModel):
    """Messages, the newest first."""

    messages: list[MessageDocument]


class WholeAlert(AlertDocument):
    """An alert with its messages."""

    messages: list[MessageDocument]


class OutboxQuery(Strict):
    """Which messages are listed."""

    dead: bool = Field(default=False, description="Only those that were given up.")
    limit: int = Field(default=100, ge=1, le=LISTED_MAX)


class Verdict(Strict):
    """What somebody thinks of an alert."""

    feedback: Feedback = Field(description="`planned` is true and was expected.")


class TestWish(Strict):
    """A destination to be tried."""

    destination: str = Field(min_length=1, max_length=NAME_MAX, description="Its name in the configuration.")


class TestResult(BaseModel):
    """What came of a test message."""

    destination: str
    is_delivered: bool
    answer: Annotated[str, Field(description="What the receiver said, or what went wrong.")]
    message_id: str


@router.get("", summary="List alerts", dependencies=READING)
async def list_alerts(chosen: Annotated[AlertQuery, Query()], parts: Parts) -> AlertList:
    """Return alerts, the newest first."""
    rows = await parts.control.alerts.list_alerts(only_open=chosen.open, kind=chosen.kind, limit=chosen.limit)
    return AlertList(alerts=[AlertDocument(**_fields(row)) for row in rows])


@router.get("/outbox", summary="List messages about alerts", dependencies=READING)
async def list_messages(chosen: Annotated[OutboxQuery, Query()], parts: Parts) -> MessageList:
    """Return what was sent or is on its way, the newest first."""
    rows = await parts.control.outbox.list_messages(only_dead=chosen.dead, limit=chosen.limit)
    return MessageList(messages=[_message(row) for row in rows])


@router.post("/outbox/{message_id}/retry", summary="Try a message again that was given up", dependencies=ANSWERING)
async def retry_message(message_id: str, parts: Parts, by: By) -> MessageDocument:
    """Put a dead message back into the outbox; it is tried within seconds, under the same id."""
    row = await parts.control.outbox.retry(message_id)
    detail = {"message": message_id} | changed({"state": "dead"}, {"state": row.state})
    await parts.control.changes.note("alert", f"had {message_id} tried again", actor=by.name, detail=detail)
    return _message(row)


@router.post("/test", summary="Send a test message", dependencies=ANSWERING)
async def test_destination(wish: TestWish, parts: Parts, by: By) -> TestResult:
    """Send one message to one destination now and tell what came back; a good answer also switches it on again."""
    destinations = parts.notifications()
    found = destinations.named(wish.destination)
    if found is None:
        known = [one.name for one in destinations.destinations]
        hint = did_you_mean(wish.destination, known)
        raise DestinationUnknown(
            f"The configuration has no destination `{wish.destination}`{hint}{'' if hint.endswith('?') else '.'} "
            "Nothing was sent. Destinations stand under `notifications`."
        )
    now = datetime.fromtimestamp(parts.clock.unix_ns() / 1e9, UTC)
    message = Message(
        id=f"msg_test{parts.clock.unix_ns():x}",
        event="test",
        at=now,
        alert_id="alert-test",
        kind="budget_threshold",
        key="test",
        severity="info",
        title="Watchkeeper can reach you here",
        text=f"{by.name} asked for this test of the destination {found.name}. Nothing has happened, and there is "
        "nothing to do.",
        raised_at=now,
    )
    post = Post(parts.clock)
    try:
        outcome = await post.send(found, message)
    finally:
        await post.aclose()
    is_delivered = isinstance(outcome, Delivered)
    if is_delivered:
        await parts.control.outbox.switch_on(found.name)
    return TestResult(destination=found.name, is_delivered=is_delivered, answer=outcome.answer, message_id=message.id)


@router.get("/{alert_id}", summary="Show an alert", dependencies=READING)
async def show_alert(alert_id: str, parts: Parts) -> WholeAlert:
    """Return one alert, with what was sent of it."""
    return await _whole(await parts.control.alerts.get(alert_id), parts)


@router.post("/{alert_id}/resolve", summary="Resolve an alert", dependencies=ANSWERING)
async def resolve_alert(alert_id: str, parts: Parts, by: By) -> WholeAlert:
    """Say that an alert is over; destinations that ask for it are told."""
    return await _whole(await parts.control.alerts.resolve(alert_id, parts.notifications(), actor=by.name), parts)


@router.post("/{alert_id}/feedback", summary="Say what an alert was worth", dependencies=ANSWERING)
async def judge_alert(alert_id: str, verdict: Verdict, parts: Parts, by: By) -> WholeAlert:
    """Note whether an alert was useful, noise, or true and planned."""
    return await _whole(await parts.control.alerts.judge(alert_id, verdict.feedback, actor=by.name), parts)


async def _whole(row: AlertRow, parts: Parts) -> WholeAlert:
    messages = await parts.control.outbox.list_messages(alert_id=row.id)
    return WholeAlert(**_fields(row), messages=[_message(message) for message in messages])


def _fields(row: AlertRow) -> dict[str, Any]:
    names = ("id", "kind", "key", "severity", "title", "text", "facts", "raised_at", "resolved_at", "feedback")
    fields = {name: getattr(row, name) for name in names}
    return fields | {"resolved_by": row.resolved_by or None, "resolution": row.resolution or None}


def _message(row: MessageRow) -> MessageDocument:
    return MessageDocument(
        id=row.id,
        alert_id=row.alert_id,
        event=row.event,
        destination=row.destination,
        state=row.state,
        attempts=row.attempts,
        created_at=row.created_at,
        due_at=row.due_at if row.state == "waiting" else None,
        delivered_at=row.delivered_at,
        answer=row.answer or None,
    )
