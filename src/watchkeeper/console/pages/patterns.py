"""Patterns: every component with ordinary data, with none, with too much, with hostile data, in trouble."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from markupsafe import Markup

from watchkeeper.console.charts.chunks import draw_chunks
from watchkeeper.console.charts.lanes import Lane, draw_lane, draw_lane_axis
from watchkeeper.console.charts.series import Marker
from watchkeeper.console.pages.badges import Badge
from watchkeeper.console.pages.call_attempts import AttemptLine, CandidateLine, DecisionLine, RoutingView
from watchkeeper.console.pages.call_release import CallRelease, HitLine
from watchkeeper.console.pages.calls import CallLine, StatusMark, Tail, call_line
from watchkeeper.console.pages.drills import FaultLine, drill_banners, fault_line
from watchkeeper.console.pages.feedback import FeedbackLine
from watchkeeper.console.pages.keys import MadeKey
from watchkeeper.console.pages.overview import Panel, TopTable, overview_page
from watchkeeper.console.pages.picker import Picker, picker
from watchkeeper.console.pages.start import Arrival
from watchkeeper.console.query import CallQuery
from watchkeeper.console.shell import Banner
from watchkeeper.console.turns import Turn, turns
from watchkeeper.console.window import Window
from watchkeeper.core.conversation import Answer, Conversation, Image, Message, Other, Text, ToolCall
from watchkeeper.core.routing import NO_CHOICE
from watchkeeper.store.faults import FaultRow
from watchkeeper.store.rows import Bucket, CallRow, Overview, Share

HOSTILE = "<script>alert(1)</script> ' \" & {{ 7 * 7 }} \u202egnirts"
LONG = "extraordinarily-long-name-without-a-place-to-break-" * 4
_AT = datetime(2026, 1, 31, 14, 5, tzinfo=UTC)
_STEPS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class PatternsPage:
    """The page."""

    marks: tuple[StatusMark, ...]
    cost_statuses: tuple[str, ...]
    lines: tuple[CallLine, ...]
    tail: Tail
    picker: Picker
    panels: tuple[Panel, ...]
    quiet_panels: tuple[Panel, ...]
    """The same over a window without a call."""
    tops: tuple[TopTable, ...]
    turns: tuple[Turn, ...]
    lanes: tuple[Markup, ...]
    lane_axis: Markup
    badges: tuple[Badge, ...]
    attempts: tuple[AttemptLine, ...]
    release: CallRelease
    routings: tuple[RoutingView, ...]
    chunks: Markup
    arrivals: tuple[Arrival, ...]
    banners: tuple[Banner, ...]
    faults: tuple[FaultLine, ...]
    feedback: tuple[FeedbackLine, ...]
    problems: tuple[str, ...]
    made: MadeKey
    long: str
    hostile: str


def patterns_page() -> PatternsPage:
    """Build the page; it asks nothing of any store and is always the same."""
    query = CallQuery(window=Window(name="24h", since=_AT - timedelta(days=1), until=None))
    custom = replace(query, window=Window(name="custom", since=_AT, until=_AT + timedelta(hours=1)))
    markers = [Marker(_AT + timedelta(minutes=9), "configuration 1f2e3d"), Marker(_AT + timedelta(minutes=20), HOSTILE)]
    busy = overview_page(an_overview(busy=True), query, markers)
    quiet = overview_page(an_overview(busy=False), query, [])
    asked, answered = turns(_conversation(), call_href="/patterns")
    return PatternsPage(
        marks=(
            StatusMark(kind="ok", word="ok", http_status=200),
            StatusMark(kind="error", word="rate limit", http_status=429),
            StatusMark(kind="cancelled", word="cancelled", http_status=0),
        ),
        cost_statuses=("measured", "estimated", "unpriced", "disputed"),
        lines=_lines(),
        tail=Tail(lines=(), href="/patterns"),
        picker=picker(custom, "/patterns"),
        panels=busy.panels,
        quiet_panels=quiet.panels,
        tops=(*busy.tops, quiet.tops[0]),
        turns=(*asked, *answered),
        lanes=tuple(draw_lane(lane, longest_ms=2_400) for lane in _LANES),
        lane_axis=draw_lane_axis(longest_ms=2_400),
        badges=_BADGES,
        attempts=_attempts(),
        release=_RELEASE,
        routings=_ROUTINGS,
        chunks=draw_chunks([*range(400_000, 900_000, 11_000), *range(1_600_000, 2_400_000, 13_000)], total_ms=2_400),
        arrivals=(Arrival(line=None), Arrival(line=_lines()[0])),
        banners=(
            Banner("critical", "The last edit of the configuration was refused.", "/health", "Health"),
            Banner("warning", f"Ingest is behind: {LONG}", "/health", "Health"),
            *drill_banners(_faults()[:1], now=_AT),
            *drill_banners(_faults(), now=_AT),
        ),
        faults=tuple(map(fault_line, _faults())),
        feedback=_FEEDBACK,
        problems=("The window ends before it begins; both ends were ignored.", HOSTILE),
        made=MadeKey(key="sk-wk-FAKEkey00001-" + "fake" * 10, feature="support", name="", replaces="FAKEkey00000"),
        long=LONG,
        hostile=HOSTILE,
    )


_LANES = (
    Lane(label="failed", started_ms=0, connect_ms=90, first_byte_ms=420, ended_ms=430, is_failed=True),
    Lane(label="no answer", started_ms=450, connect_ms=None, first_byte_ms=None, ended_ms=900, is_failed=True),
    Lane(label="answered", started_ms=910, connect_ms=40, first_byte_ms=1_500, ended_ms=2_400, is_failed=False),
    Lane(label="instant", started_ms=0, connect_ms=None, first_byte_ms=0, ended_ms=0, is_failed=False),
)


_FEEDBACK = tuple(
    FeedbackLine(name=name, score=score, label=label, value=value, comment=comment, on=on, by="key:FAKEkey00001",
                 at="2026-01-31T14:05:00+00:00")
    for name, score, label, value, comment, on in (
        ("thumbs", "1", "helpful", "1.5 units of value", "", ""),
        ("rating", "0.25", "", "", "The price is last year's.", "on the session"),
        (HOSTILE, "", HOSTILE, "", HOSTILE, ""),
        (LONG, "", LONG, "", LONG, ""),
    )
)  # fmt: skip
_BADGES = (
    Badge("cache hit, 61 s old, $0.00021 saved", "answered from the cache", href="/patterns"),
    Badge("stale answer", "the call failed", True, "/patterns"),
    Badge("set answer", "the call failed", True),
    Badge(f"fault {HOSTILE}", HOSTILE, True),
    Badge("2 events left out", LONG, True),
)
_ROUTINGS = (
    RoutingView(note=NO_CHOICE),
    RoutingView(
        order="price: the cheapest target for this request first",
        tier="large, because rule 2 of the route holds for this request",
        change="3 of the oldest turns were left out",
        candidates=(
            CandidateLine("openai/gpt-4o-mini", "$0.00045 expected", "tried at attempt 1 and 2", False),
            CandidateLine(LONG, "", f"not tried: {LONG}", True),
            CandidateLine(HOSTILE, "price not known", "not needed", False),
        ),
        decisions=(
            DecisionLine("attempt 1", "rate_limited", "the same target was tried again after 250 ms"),
            DecisionLine("attempt 2", HOSTILE, HOSTILE),
        ),
    ),
)


_RELEASE = CallRelease(
    release="wk1-abcdefghijklmnopqrstuvwxyz", href="/patterns", environment="production", rollout=HOSTILE,
    rollout_href="/patterns", origin="replay of a call", origin_call="01FAKE", status="failed", shape="error",
    verdict="The answer is not what the release asks for.", schema="wks1-abc", path="/lines/0/price", error=HOSTILE,
    repairs="2 attempts to mend it",
    hits=(HitLine("docs", "refunds.md", "2", "0.812"), HitLine(LONG, HOSTILE, "", "–")),
    is_stale=True,
)  # fmt: skip


def _attempts() -> tuple[AttemptLine, ...]:
    plain = AttemptLine(
        number=1,
        target="openai/gpt-4o-mini",
        outcome_kind="error",
        outcome="rate limit",
        code="rate_limited",
        http_status=429,
        message="Too many requests",
        fault="drill-1",
        facts=(("Cost", "$0"),),
        lane=draw_lane(_LANES[0], longest_ms=2_400),
    )
    facts = (
        ("Why", "fallback to another target"), ("Waited before", "250 ms"), ("First token", "at 1.2 s"),
        ("Tokens", "1,240 in, 86 out estimated"), ("Cost", "$0.000237 estimated"),
    )  # fmt: skip
    hostile = replace(plain, number=2, target=HOSTILE, code="", message=HOSTILE, fault=HOSTILE, facts=())
    long = replace(hostile, number=3, target=LONG, message=LONG, fault="")
    last = AttemptLine(
        number=4,
        target="openai/gpt-4o",
        outcome_kind="ok",
        outcome="ok",
        code="",
        http_status=200,
        message="",
        fault="",
        facts=facts,
        lane=draw_lane(_LANES[2], longest_ms=2_400),
    )
    return plain, hostile, long, last


def _lines() -> tuple[CallLine, ...]:
    plain = _row("support", "acme", "gpt-4o-mini", "Where is my refund for order A-1001?")
    failed = replace(plain, status="error", error_class="rate_limit", attempt_count=3, cost_status="estimated")
    bare = replace(_row("", "", "", ""), input_tokens=None, output_tokens=None, first_token_ms=None)
    unpriced = replace(bare, status="cancelled", cost_nusd=None, cost_status="unpriced")
    dear = replace(_row(LONG, LONG, LONG, LONG), cost_nusd=1_204 * 10**9, duration_ms=120_000.0)
    cached = replace(plain, served_from="cache", attempt_count=0)
    stated = replace(failed, served_from="set_answer", faults=(HOSTILE,))
    copied = replace(plain, origin="shadow", output_status="failed")
    hostile = replace(_row(HOSTILE, HOSTILE, HOSTILE, HOSTILE), cost_status="disputed", usage_status="estimated")
    rows = (plain, failed, cached, stated, copied, unpriced, dear, hostile)
    return tuple(call_line(replace(row, id=f"01FAKE{place:020}")) for place, row in enumerate(rows, start=1))


def _row(feature: str, tenant: str, model: str, preview: str) -> CallRow:
    return CallRow(
        id="",
        started_at=_AT,
        feature=feature,
        tenant=tenant,
        subject="",
        session="",
        key_id="FAKEkey00001",
        environment="production",
        release="",
        route="",
        surface="chat",
        provider="openai",
        model=model,
        requested_model=model,
        is_stream=True,
        status="ok",
        http_status=200,
        error_class="",
        error_code="",
        attempt_count=1,
        input_tokens=1_240,
        output_tokens=86,
        usage_status="measured",
        cost_nusd=237_600,
        cost_status="measured",
        duration_ms=1_420.0,
        first_token_ms=210.0,
        overhead_ms=0.2,
        finish_reason="stop",
        tool_names=(),
        tags=(),
        input_preview=preview,
        output_preview="",
        served_from="upstream",
        faults=(),
        rollout="",
        origin="client",
        output_status="",
    )


def _conversation() -> Conversation:
    call = ToolCall(id="call_1", name="find_order", arguments='{"number": "A-1001", "fields": ["state", "due"]}')
    return Conversation(
        messages=(
            Message(role="system", parts=(Text("Answer briefly. " * 120),)),
            Message(role="user", parts=(Text(HOSTILE), Image("https://example.com/a.png"), Other("file", '{"id": 1}'))),
            Message(role="assistant", tool_calls=(call,)),
            Message(role="tool", parts=(Text('{"state": "sent", "due": "2026-02-02"}'),), tool_call_id="call_1"),
            Message(role="user"),
        ),
        answers=(
            Answer(
                index=0,
                message=Message(role="assistant", parts=(Text("On its way."),), reasoning="The tool says sent."),
                finish_reason="stop",
            ),
            Answer(index=1, message=Message(role="assistant", refusal="I cannot say."), finish_reason=""),
        ),
    )


_SHARES = (
    Share(name="support", calls=900, cost_nusd=1_200_000_000, unpriced_calls=0),
    Share(name=HOSTILE, calls=40, cost_nusd=90_000, unpriced_calls=4),
    Share(name=LONG, calls=2, cost_nusd=None, unpriced_calls=2),
    Share(name="", calls=1, cost_nusd=0, unpriced_calls=0),
)


def _faults() -> tuple[FaultRow, ...]:
    plain = FaultRow(
        id="fault-0fa4e001",
        kind="server_error",
        route="support-chat",
        share=0.1,
        target="",
        key_id="",
        tenant="",
        after=0,
        seconds=0.0,
        status=503,
        started_at=_AT,
        started_by="ana",
        ends_at=_AT + timedelta(minutes=10),
        stopped_by="",
    )
    bound = replace(plain, id="fault-0fa4e002", kind="slow_drip", seconds=0.5, route=LONG, target=LONG, tenant="acme")
    hostile = replace(plain, id="fault-0fa4e003", kind="cut", after=1, share=1.0, route=HOSTILE, started_by=HOSTILE)
    return plain, bound, hostile


def an_overview(*, busy: bool) -> Overview:
    """Make up thirty minutes, busy or without a call."""
    steps = tuple(_bucket(_AT + timedelta(minutes=place), place if busy else None) for place in range(_STEPS))
    total = replace(_bucket(_AT, 12 if busy else None), calls=sum(step.calls for step in steps))
    return Overview(
        total=replace(total, unpriced_calls=12) if busy else total,
        steps=steps,
        step_s=60,
        previous=_bucket(_AT - timedelta(minutes=_STEPS), 3 if busy else None),
        top_features=_SHARES if busy else (),
        top_models=_SHARES[:1] if busy else (),
    )


def _bucket(at: datetime, place: int | None) -> Bucket:
    """A step of a busy minute, its figures going up and down with its place; an empty one for None."""
    wave = 0 if place is None else 20 + (place * 7) % 13
    failed = {"timeout": wave // 9, "rate_limit": wave // 6} if place is not None and 10 <= place < 16 else {}
    slow = 900.0 + 40 * wave
    return Bucket(
        at=at,
        calls=wave,
        errors=sum(failed.values()),
        cancelled=int(wave > 30),
        errors_by_class=failed,
        duration_p50_ms=slow / 2 if wave else None,
        duration_p95_ms=slow if wave else None,
        duration_p99_ms=slow * 1.6 if wave else None,
        first_token_p50_ms=slow / 6 if wave else None,
        first_token_p95_ms=slow / 3 if wave else None,
        cost_nusd=wave * 240_000,
        estimated_nusd=wave * 20_000 if wave > 28 else 0,
        unpriced_calls=0,
        input_tokens=wave * 1_200,
        output_tokens=wave * 90,
        copied_calls=wave // 8,
        checked_outputs=wave,
        repaired_outputs=wave // 7,
        failed_outputs=wave // 12,
    )
