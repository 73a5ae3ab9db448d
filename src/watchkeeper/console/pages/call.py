"""The call page: conversation, attempts, timing, money, raw bytes, and the call again as curl."""

from dataclasses import dataclass
from urllib.parse import urlencode

from markupsafe import Markup

from watchkeeper.console import figures
from watchkeeper.console.bodies import BodyView, body_view, changed_lines
from watchkeeper.console.charts.chunks import Pace, draw_chunks, pace
from watchkeeper.console.charts.lanes import Lane, draw_lane, draw_lane_axis
from watchkeeper.console.curl import replay_command
from watchkeeper.console.pages.calls import CallLine, StatusMark, call_line, status_mark
from watchkeeper.console.turns import Turn, turns
from watchkeeper.core.conversation import Tool, read_conversation
from watchkeeper.store.rows import CallDetail, CallRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One thing that is known of a call."""

    label: str
    value: str
    href: str = ""
    """The calls that have the same; empty where that is no question."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptLine:
    """One attempt with its stretch of time drawn."""

    number: int
    target: str
    status: str
    length: str
    connect: str
    error: str
    bar: Markup


@dataclass(frozen=True, slots=True, kw_only=True)
class MoneyLine:
    """One bucket of the bill."""

    bucket: str
    units: str
    rate: str
    amount: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One direction of the call's bytes."""

    title: str
    headers: tuple[tuple[str, str], ...]
    body: BodyView


@dataclass(frozen=True, slots=True, kw_only=True)
class CallView:
    """The page."""

    id: str
    at: str
    status: StatusMark
    error_message: str
    tiles: tuple[tuple[str, str, str], ...]
    """Label, figure, note."""
    facts: tuple[Fact, ...]
    asked: tuple[Turn, ...]
    answered: tuple[Turn, ...]
    tools: tuple[Tool, ...]
    parameters: tuple[tuple[str, str], ...]
    upstream_error: str
    notes: tuple[str, ...]
    attempts: tuple[AttemptLine, ...]
    attempts_axis: Markup
    chunks: Markup | None
    pace: Pace | None
    money: tuple[MoneyLine, ...]
    cost: str
    cost_status: str
    price: str
    sides: tuple[Side, ...]
    changes: tuple[str, ...] | None
    was_changed: bool
    curl: str
    neighbours: tuple[CallLine, ...]
    """Calls of the same session, oldest first; empty without a session."""


def call_view(call: CallDetail, neighbours: tuple[CallRow, ...], *, gateway_url: str) -> CallView:
    """Build the page from the store's answer."""
    row = call.row
    conversation = read_conversation(
        call.request_body, call.response_body, surface="chat" if row.surface != "embeddings" else "embeddings",
        is_stream=bool(call.chunk_offsets_us),
    )  # fmt: skip
    asked, answered = turns(conversation, call_href=f"/calls/{row.id}")
    changes = None if call.sent_body is None else changed_lines(call.request_body, call.sent_body)
    return CallView(
        id=row.id,
        at=figures.iso(row.started_at),
        status=status_mark(row),
        error_message=call.error_message,
        tiles=_tiles(call),
        facts=_facts(call),
        asked=asked,
        answered=answered,
        tools=conversation.tools,
        parameters=tuple(conversation.parameters.items()),
        upstream_error=conversation.error,
        notes=conversation.notes,
        attempts=_attempts(call),
        attempts_axis=draw_lane_axis(longest_ms=row.duration_ms),
        chunks=draw_chunks(call.chunk_offsets_us, total_ms=row.duration_ms) if len(call.chunk_offsets_us) > 1 else None,
        pace=pace(call.chunk_offsets_us),
        money=tuple(
            MoneyLine(
                bucket=line.bucket.replace("_", " "),
                units=figures.count(line.units),
                rate=figures.rate(line.usd_per_million),
                amount=figures.exact_money(line.amount_nusd),
            )
            for line in call.cost_lines
        ),
        cost=figures.exact_money(row.cost_nusd),
        cost_status=row.cost_status,
        price=_price(call),
        sides=_sides(call),
        changes=changes,
        was_changed=call.sent_body is not None,
        curl=replay_command(
            gateway_url.removesuffix("/v1"), call.request_path, call.request_headers, call.request_body
        ),
        neighbours=tuple(call_line(other) for other in neighbours),
    )


def _tiles(call: CallDetail) -> tuple[tuple[str, str, str], ...]:
    row = call.row
    kind = "stream" if row.is_stream else "plain"
    tokens = f"{figures.count(row.input_tokens)} / {figures.count(row.output_tokens)}"
    return (
        ("Duration", figures.duration(row.duration_ms), kind),
        ("First token", figures.duration(row.first_token_ms), "streams only" if row.first_token_ms is None else ""),
        ("Tokens in / out", tokens, row.usage_status),
        ("Cost", figures.money(row.cost_nusd), row.cost_status),
        ("In the gateway", figures.duration(row.overhead_ms), ""),
        ("Attempts", str(row.attempt_count), ""),
    )


def _facts(call: CallDetail) -> tuple[Fact, ...]:
    row = call.row
    linked = (
        ("Feature", "feature", row.feature), ("Tenant", "tenant", row.tenant), ("Subject", "subject", row.subject),
        ("Session", "session", row.session), ("Key", "key", row.key_id), ("Route", "route", row.route),
        ("Environment", "environment", row.environment), ("Trace", "trace", call.trace_id),
    )  # fmt: skip
    plain = (
        ("Release", row.release), ("Model asked for", row.requested_model),
        ("Model that answered", call.reported_model),
        ("Finish reason", row.finish_reason), ("Client", call.user_agent), ("Configuration", call.snapshot),
        ("Worker", call.worker), ("Stored", figures.iso(call.stored_at)),
    )  # fmt: skip
    tags = [_linked("Tag", "tag", tag) for tag in row.tags]
    metadata = [Fact(label=name, value=value) for name, value in call.metadata.items()]
    return (
        *(_linked(label, name, value) for label, name, value in linked if value),
        *(Fact(label=label, value=value) for label, value in plain if value),
        *tags,
        *metadata,
    )  # fmt: skip


def _linked(label: str, parameter: str, value: str) -> Fact:
    return Fact(label=label, value=value, href="/calls?" + urlencode({parameter: value, "window": "all"}))


def _attempts(call: CallDetail) -> tuple[AttemptLine, ...]:
    longest_ms = call.row.duration_ms
    lines = []
    for attempt in call.attempts:
        lane = Lane(
            label=f"Attempt {attempt.number}",
            started_ms=attempt.started_ms,
            connect_ms=attempt.connect_ms,
            first_byte_ms=attempt.first_byte_ms,
            ended_ms=attempt.ended_ms,
            is_failed=bool(attempt.error_class),
        )
        error = f"{attempt.error_class.replace('_', ' ')}: {attempt.error_message}" if attempt.error_class else ""
        lines.append(
            AttemptLine(
                number=attempt.number,
                target=f"{attempt.provider}/{attempt.model}",
                status=str(attempt.http_status) if attempt.http_status else "no answer",
                length=figures.duration(attempt.ended_ms - attempt.started_ms),
                connect="reused" if attempt.connect_ms is None else figures.duration(attempt.connect_ms),
                error=error,
                bar=draw_lane(lane, longest_ms=longest_ms),
            )
        )
    return tuple(lines)


def _price(call: CallDetail) -> str:
    if not call.price_source:
        return ""
    since = f", valid from {call.price_valid_from:%Y-%m-%d}" if call.price_valid_from else ""
    return f"{call.price_source}{since}"


def _sides(call: CallDetail) -> tuple[Side, ...]:
    request = Side(
        title="Request as received",
        headers=call.request_headers,
        body=body_view(call.request_body, full_bytes=call.request_bytes),
    )
    response = Side(
        title="Response as received from the upstream",
        headers=call.response_headers,
        body=body_view(call.response_body, full_bytes=call.response_bytes),
    )
    return (request, response)
