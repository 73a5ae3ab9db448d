"""What a destination is sent: the same bytes and the same id at every attempt."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from watchkeeper.core.alert import AlertKind, MessageEvent, Severity

TEXT_MAX = 8_000
BODY_BYTES_MAX = 20_000
"""Of a webhook's body, as Standard Webhooks asks; facts that do not fit are left out, and it says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One alert, told to one destination."""

    id: str
    """Stable over attempts: who has taken it once need not take it again."""
    event: MessageEvent
    at: datetime
    """When there was something to tell; not when it was sent."""
    alert_id: str
    kind: AlertKind
    key: str
    severity: Severity
    title: str
    text: str
    facts: dict[str, Any] = field(default_factory=dict[str, Any])
    raised_at: datetime
    resolved_at: datetime | None = None
    resolution: str = ""


def subject(message: Message) -> str:
    """Return the one line that stands for it."""
    match message.event:
        case "raised":
            return f"[{message.severity}] {message.title}"
        case "resolved":
            return f"[resolved] {message.title}"
        case "test":
            return f"[test] {message.title}"


def plain(message: Message) -> str:
    """Return it as text for people, with the ids to find it by."""
    text = message.text[:TEXT_MAX]
    if message.resolved_at is not None:
        text = f"Over since {_minute(message.resolved_at)}: {message.resolution}\n\nIt had been raised with:\n{text}"
    return f"{text}\n\nAlert {message.alert_id}, raised {_minute(message.raised_at)}. Message {message.id}."


def body(message: Message) -> bytes:
    """Return it as JSON for programs: `type`, `timestamp` and `data`, as Standard Webhooks has it."""
    alert = {
        "id": message.alert_id,
        "kind": message.kind,
        "key": message.key,
        "severity": message.severity,
        "title": message.title,
        "text": message.text[:TEXT_MAX],
        "facts": message.facts,
        "raised_at": message.raised_at.isoformat(),
        "resolved_at": message.resolved_at.isoformat() if message.resolved_at is not None else None,
        "resolution": message.resolution or None,
    }
    whole = {"type": f"alert.{message.event}", "timestamp": message.at.isoformat(), "data": alert}
    written = msgspec.json.encode(whole, order="deterministic")
    if len(written) <= BODY_BYTES_MAX:
        return written
    short = alert | {"facts": {"left_out": f"{len(written)} bytes are more than a message may have"}, "text": ""}
    return msgspec.json.encode(whole | {"data": short}, order="deterministic")


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
