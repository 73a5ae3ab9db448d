"""The attempts of one call, each with its lane, and how their targets were chosen."""

from dataclasses import dataclass

from markupsafe import Markup

from watchkeeper.console import figures
from watchkeeper.console.charts.lanes import Lane, draw_lane
from watchkeeper.core.routing import (
    NO_CHOICE,
    decision_words,
    fate_words,
    kind_words,
    read_routing,
    score_words,
    strategy_words,
    tier_words,
)
from watchkeeper.store.rows import AttemptRow, CallDetail


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptLine:
    """One attempt with its lane."""

    number: int
    target: str
    outcome_kind: str
    """`ok`, `error` or `cancelled`."""
    outcome: str
    code: str
    """Of the error, where it says more than its class."""
    http_status: int
    message: str
    fault: str
    facts: tuple[tuple[str, str], ...]
    """Why it was made, waits, tokens and cost: name and figure."""
    lane: Markup


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptFigures:
    """One attempt as a row of a table."""

    number: int
    target: str
    why: str
    waited: str
    started: str
    connect: str
    first_byte: str
    first_token: str
    ended: str
    bytes: str
    cost: str
    cost_status: str
    request_id: str


@dataclass(frozen=True, slots=True)
class CandidateLine:
    """One target that was considered."""

    target: str
    score: str
    fate: str
    is_excluded: bool


@dataclass(frozen=True, slots=True)
class DecisionLine:
    """What was done about a failure."""

    after: str
    failure: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingView:
    """How the target was chosen."""

    note: str = ""
    """Said instead of all else, where there was nothing to choose."""
    order: str = ""
    tier: str = ""
    change: str = ""
    candidates: tuple[CandidateLine, ...] = ()
    decisions: tuple[DecisionLine, ...] = ()


def attempt_line(attempt: AttemptRow, detail: CallDetail, longest_ms: float) -> AttemptLine:
    """Build one attempt; `longest_ms` is where the common axis ends."""
    target = f"{attempt.provider}/{attempt.model}"
    is_cancelled = detail.row.status == "cancelled" and not attempt.error_class
    kind = "error" if attempt.error_class else "cancelled" if is_cancelled else "ok"
    lane = Lane(
        label=f"Attempt {attempt.number}, {target}",
        started_ms=attempt.started_ms,
        connect_ms=attempt.connect_ms,
        first_byte_ms=attempt.first_byte_ms,
        ended_ms=attempt.ended_ms,
        is_failed=kind == "error",
    )
    return AttemptLine(
        number=attempt.number,
        target=target,
        outcome_kind=kind,
        outcome=attempt.error_class.replace("_", " ") or kind,
        code=attempt.error_code if attempt.error_code != attempt.error_class else "",
        http_status=attempt.http_status,
        message=attempt.error_message,
        fault=attempt.fault,
        facts=_facts(attempt),
        lane=draw_lane(lane, longest_ms=longest_ms),
    )


def attempt_figures(attempt: AttemptRow) -> AttemptFigures:
    """Build the row of one attempt."""
    return AttemptFigures(
        number=attempt.number,
        target=f"{attempt.provider}/{attempt.model}",
        why=attempt.kind or figures.NOTHING,
        waited=figures.duration(attempt.waited_ms) if attempt.waited_ms else figures.NOTHING,
        started=figures.duration(attempt.started_ms) if attempt.started_ms else "0 ms",
        connect="pooled" if attempt.connect_ms is None else figures.duration(attempt.connect_ms),
        first_byte=figures.duration(attempt.first_byte_ms),
        first_token=figures.duration(attempt.first_token_ms),
        ended=figures.duration(attempt.ended_ms),
        bytes=f"{figures.size(attempt.request_bytes)} out, {figures.size(attempt.response_bytes)} in",
        cost=figures.column_amount(attempt.cost_nusd),
        cost_status=attempt.cost_status,
        request_id=attempt.upstream_request_id,
    )


def _facts(attempt: AttemptRow) -> tuple[tuple[str, str], ...]:
    facts = []
    if attempt.kind not in ("", "first"):
        facts.append(("Why", kind_words(attempt.kind)))
    if attempt.waited_ms:
        facts.append(("Waited before", figures.duration(attempt.waited_ms)))
    if attempt.first_token_ms is not None:
        facts.append(("First token", f"at {figures.duration(attempt.first_token_ms)}"))
    if attempt.usage:
        facts.append(("Tokens", _tokens(attempt)))
    if attempt.service_tier:
        facts.append(("Service tier", attempt.service_tier))
    if attempt.cost_nusd is not None or attempt.usage:
        status = "" if attempt.cost_status in ("measured", "unpriced") else f" {attempt.cost_status}"
        facts.append(("Cost", f"{figures.money(attempt.cost_nusd)}{status}"))
    return tuple(facts)


def _tokens(attempt: AttemptRow) -> str:
    tokens = {name: units for name, units in attempt.usage.items() if name != "server_tools"}
    given = sum(units for name, units in tokens.items() if not _is_output(name))
    made = sum(units for name, units in tokens.items() if _is_output(name))
    status = f" {attempt.usage_status}" if attempt.usage_status == "estimated" else ""
    return f"{figures.count(given)} in, {figures.count(made)} out{status}"


def _is_output(bucket: str) -> bool:
    return bucket.startswith("output") or bucket in ("audio_out", "image_out")


def routing_view(detail: CallDetail) -> RoutingView | None:
    """Read how the target was chosen; None where none was."""
    routing = read_routing(detail.routing)
    if routing is None:
        return RoutingView(note=NO_CHOICE, change=detail.change) if detail.attempts else None
    tried: dict[str, list[int]] = {}
    for attempt in detail.attempts:
        tried.setdefault(f"{attempt.provider}/{attempt.model}", []).append(attempt.number)
    return RoutingView(
        order=strategy_words(routing),
        tier=tier_words(routing),
        change=detail.change,
        candidates=tuple(
            CandidateLine(
                one.target,
                score_words(routing.strategy, one.score),
                fate_words(one, tried.get(one.target, [])),
                bool(one.excluded),
            )
            for one in routing.candidates
        ),
        decisions=tuple(
            DecisionLine(f"attempt {one.after}" if one.after else "the choice", one.failure, decision_words(one))
            for one in routing.decisions
        ),
    )
