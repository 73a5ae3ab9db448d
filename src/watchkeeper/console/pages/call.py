"""One call: what was said, every attempt, the rhythm of the stream, what it cost, the exact bytes."""

from dataclasses import dataclass
from typing import Literal, get_args
from urllib.parse import urlencode

from markupsafe import Markup

from watchkeeper.console import figures
from watchkeeper.console.charts.lanes import draw_lane_axis
from watchkeeper.console.pages.badges import Badge, call_badges
from watchkeeper.console.pages.call_attempts import AttemptLine, RoutingView, attempt_line, routing_view
from watchkeeper.console.pages.call_release import CallRelease, call_release, release_href
from watchkeeper.console.pages.call_views import (
    ConversationView,
    Fact,
    RawView,
    ReplayView,
    TimingView,
    conversation_view,
    raw_view,
    replay_view,
    timing_view,
)
from watchkeeper.console.pages.calls import CallLine, StatusMark, call_line, status_mark
from watchkeeper.console.pages.feedback import FeedbackLine
from watchkeeper.store.rows import CallDetail, CallRow

View = Literal["conversation", "timing", "raw", "replay"]
VIEWS: tuple[View, ...] = get_args(View)
DEFAULT_VIEW: View = "conversation"
WITHOUT_TEXT: tuple[View, ...] = ("timing",)
"""Views that show nothing of what was asked and answered."""
LATER_SHOWN = 3
EARLIER_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Tab:
    """One view of the call."""

    id: View
    label: str
    href: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class CostRow:
    """Units times rate."""

    bucket: str
    attempt: str
    """Number of the attempt; empty where there was only one, or it is not known."""
    units: str
    rate: str
    amount: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CostView:
    """What the call cost and why that is known."""

    amount: str
    status: str
    rows: tuple[CostRow, ...]
    source: str
    valid_from: str
    """The price's date; empty when it holds always or none is known."""
    usage_raw: str
    """The upstream's own words, indented; empty for none."""
    explanation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionView:
    """Where the call stands in its session."""

    name: str
    href: str
    previous_href: str
    next_href: str
    """Empty when there is none, or too many came later to know which."""
    lines: tuple[CallLine, ...]
    """The call and those around it, newest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallPageModel:
    """The page."""

    id: str
    at: str
    status: StatusMark
    error: str
    error_code: str
    headline: tuple[Fact, ...]
    facts: tuple[Fact, ...]
    badges: tuple[Badge, ...]
    attempts: tuple[AttemptLine, ...]
    lane_axis: Markup
    try_href: str
    """The playground, with this call; empty for who may not read its text."""
    release: CallRelease | None
    """None where no release has to do with it."""
    routing: RoutingView | None
    """None where no target was chosen."""
    cost: CostView
    tabs: tuple[Tab, ...]
    session: SessionView | None
    conversation: ConversationView | None = None
    timing: TimingView | None = None
    raw: RawView | None = None
    replay: ReplayView | None = None
    feedback: tuple[FeedbackLine, ...] = ()
    """What was said of the call and of its session, the newest first."""
    withheld: str = ""
    """Why what was asked and answered is not shown; empty where it may be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """The calls around one in its session, each newest first."""

    earlier: tuple[CallRow, ...]
    later: tuple[CallRow, ...]


def call_page(
    detail: CallDetail,
    view: View,
    neighbours: Neighbours | None,
    *,
    gateway_url: str,
    offered: tuple[View, ...] = VIEWS,
) -> CallPageModel:
    """Build the page in one of its views; the parts of the other views are None.

    Args:
        detail: Everything the store knows.
        view: Which view.
        neighbours: None when the call belongs to no session.
        gateway_url: Address for the replay command, without a trailing slash.
        offered: The views there are; without those that show its text, the page says why.
    """
    row = detail.row
    longest = max([row.duration_ms, *(attempt.ended_ms for attempt in detail.attempts)])
    return CallPageModel(
        id=row.id,
        at=figures.iso(row.started_at),
        status=status_mark(row),
        error=detail.error_message,
        error_code=row.error_code,
        headline=_headline(detail),
        facts=_facts(detail),
        badges=call_badges(detail),
        attempts=tuple(attempt_line(attempt, detail, longest) for attempt in detail.attempts),
        lane_axis=draw_lane_axis(longest_ms=longest),
        try_href=f"/playground?call={row.id}" if DEFAULT_VIEW in offered else "",
        release=call_release(detail),
        routing=routing_view(detail),
        cost=_cost(detail),
        tabs=tuple(Tab(name, _LABELS[name], _view_href(row.id, name), name == view) for name in offered),
        session=_session(row, neighbours),
        conversation=conversation_view(detail) if view == "conversation" else None,
        timing=timing_view(detail) if view == "timing" else None,
        raw=raw_view(detail) if view == "raw" else None,
        replay=replay_view(detail, gateway_url) if view == "replay" else None,
        withheld="" if DEFAULT_VIEW in offered else f"{_WITHHELD} {row.feature or 'calls without a feature'}.",
    )


_WITHHELD = "You may not read what was asked and answered: that needs the permission read_bodies for"
_LABELS: dict[View, str] = {"conversation": "Conversation", "timing": "Timing", "raw": "Raw bytes", "replay": "Replay"}


def _view_href(call_id: str, view: View) -> str:
    return f"/calls/{call_id}" if view == DEFAULT_VIEW else f"/calls/{call_id}?view={view}"


def _headline(detail: CallDetail) -> tuple[Fact, ...]:
    row = detail.row
    tokens = f"{figures.count(row.input_tokens)} in, {figures.count(row.output_tokens)} out"
    return (
        Fact("Duration", figures.duration(row.duration_ms)),
        Fact("First token", figures.duration(row.first_token_ms) if row.is_stream else "not streamed"),
        Fact("Added by Watchkeeper", figures.duration(row.overhead_ms)),
        Fact("Tokens", tokens if row.input_tokens is not None or row.output_tokens is not None else "not known"),
        Fact("Finish", row.finish_reason or figures.NOTHING),
    )


def _facts(detail: CallDetail) -> tuple[Fact, ...]:
    row = detail.row
    linked = [
        ("Feature", "feature", row.feature),
        ("Tenant", "tenant", row.tenant),
        ("Subject", "subject", row.subject),
        ("Session", "session", row.session),
        ("Key", "key", row.key_id),
        ("Environment", "environment", row.environment),
        ("Rollout", "rollout", row.rollout),
        ("Route", "route", row.route),
        ("Trace", "trace", detail.trace_id),
    ]
    facts = [Fact(name, value, calls_href(parameter, value)) for name, parameter, value in linked if value]
    if row.release:
        href = release_href(row.release) or calls_href("release", row.release)
        facts.append(Fact("Release", row.release, href))
    plain = [
        ("Model asked for", row.requested_model),
        ("Model sent", row.model),
        ("Model reported", detail.reported_model),
        ("Configuration", detail.snapshot),
        ("Parent span", detail.parent_span_id),
        ("Worker", detail.worker),
        ("Client", detail.user_agent),
        ("Path", detail.request_path),
    ]
    facts += [Fact(name, value) for name, value in plain if value]
    facts += [Fact("Tag", tag, calls_href("tag", tag)) for tag in row.tags]
    facts += [Fact(f"metadata.{name}", value) for name, value in sorted(detail.metadata.items())]
    return (*facts, Fact("Stored", "", at=figures.iso(detail.stored_at)))


def calls_href(parameter: str, value: str) -> str:
    """Return the list of all calls that share a value."""
    return f"/calls?{urlencode({parameter: value, 'window': 'all'})}"


def _cost(detail: CallDetail) -> CostView:
    row = detail.row
    rows = tuple(
        CostRow(
            bucket=line.bucket.replace("_", " "),
            attempt=str(line.attempt) if line.attempt and len(detail.attempts) > 1 else "",
            units=figures.count(line.units),
            rate=figures.rate(line.usd_per_million),
            amount=figures.column_amount(line.amount_nusd),
        )
        for line in detail.cost_lines
    )
    unpriced = [
        CostRow(name.replace("_", " "), "", figures.count(units), "–", "–") for name, units in detail.usage.items()
    ]
    return CostView(
        amount=figures.exact_money(row.cost_nusd),
        status=row.cost_status,
        rows=rows or tuple(unpriced),
        source=detail.price_source,
        valid_from=figures.iso(detail.price_valid_from) if detail.price_valid_from else "",
        usage_raw=figures.pretty_json(detail.usage_raw.decode("utf-8", "replace")),
        explanation=_explanation(row),
    )


def _explanation(row: CallRow) -> str:
    if row.usage_status == "missing" and row.cost_status == "unpriced":
        return "It is not known how many tokens this call used, if any, so the amount is unknown."
    if row.usage_status == "missing" and row.cost_nusd == 0:
        asked = "No provider was asked" if not row.attempt_count else "No provider took the call on"
        return f"{asked}, so nothing was used."
    return _EXPLANATIONS[row.cost_status]


_EXPLANATIONS = {
    "measured": "The upstream's own token counts times a dated price.",
    "estimated": "The upstream did not say how many tokens it used; they were counted here.",
    "unpriced": "No price is known for this provider and model, so the amount is unknown. It is not zero.",
    "disputed": "The upstream's bill says otherwise.",
}


def _session(row: CallRow, neighbours: Neighbours | None) -> SessionView | None:
    if neighbours is None:
        return None
    shown = [*neighbours.later[-LATER_SHOWN:], row, *neighbours.earlier[:EARLIER_SHOWN]]
    return SessionView(
        name=row.session,
        href=calls_href("session", row.session),
        previous_href=f"/calls/{neighbours.earlier[0].id}" if neighbours.earlier else "",
        next_href=f"/calls/{neighbours.later[-1].id}" if neighbours.later else "",
        lines=tuple(call_line(one) for one in shown),
    )
