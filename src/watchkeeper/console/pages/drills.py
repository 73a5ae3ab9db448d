"""Drills: the faults that are being injected, told on every page so that nobody takes one for an outage."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from watchkeeper.console import figures
from watchkeeper.console.shell import Banner
from watchkeeper.store.faults import FaultRow

PLACE = "/health#faults"
"""Where a fault is stopped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultLine:
    """One fault that is being injected."""

    id: str
    what: str
    """Its kind in words, with what is said of it: `cut after 3 chunks`."""
    route: str
    share: str
    only: str
    """To which of the route's calls it is bound; empty for all."""
    started_at: str
    started_by: str
    ends_at: str
    stop_href: str
    """Where the form that stops it goes."""


def fault_line(row: FaultRow) -> FaultLine:
    """Build one row."""
    bounds = (("target", row.target), ("key", row.key_id), ("tenant", row.tenant))
    return FaultLine(
        id=row.id,
        what=_words(row),
        route=row.route,
        share=_share(row),
        only=", ".join(f"{name} {value}" for name, value in bounds if value),
        started_at=figures.iso(row.started_at),
        started_by=row.started_by,
        ends_at=figures.iso(row.ends_at),
        stop_href=f"/faults/{row.id}/stop",
    )


def drill_banners(active: Sequence[FaultRow], *, now: datetime) -> tuple[Banner, ...]:
    """Tell on every page that failures are being made on purpose; nothing while none are."""
    if not active:
        return ()
    last = max(active, key=lambda row: row.ends_at)
    left = figures.duration(1_000 * max(1.0, (last.ends_at - now).total_seconds()))
    if len(active) == 1:
        what = f"{_words(last)} in {_share(last)} of the calls to {last.route}, started by {last.started_by}"
        text = f"A drill is under way: {what}. It ends by itself in {left}."
    else:
        routes = len({row.route for row in active})
        where = f"{routes} routes" if routes > 1 else f"the route {last.route}"
        text = f"A drill is under way: {len(active)} faults on {where}. The last ends by itself in {left}."
    return (Banner("warning", text, PLACE, "See and stop"),)


def _words(row: FaultRow) -> str:
    kind = row.kind.replace("_", " ")
    match row.kind:
        case "cut" | "malformed_chunk":
            return f"{kind} after {row.after} chunk{'' if row.after == 1 else 's'}"
        case "slow_first_token" | "slow_drip":
            return f"{kind} by {row.seconds:g} s"
        case "server_error":
            return f"{kind} {row.status or 500}"
        case "rate_limit" if row.seconds:
            return f"{kind} for {row.seconds:g} s"
        case _:
            return kind


def _share(row: FaultRow) -> str:
    return f"{100 * row.share:g} %"
