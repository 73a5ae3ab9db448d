"""A rollout: how far it is, what is known of each metric and how surely, what each look decided and why."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from markupsafe import Markup

from watchkeeper.console import figures
from watchkeeper.console.charts.meter import meter
from watchkeeper.console.charts.sequence import SequenceChart, SequencePoint, draw_sequence
from watchkeeper.console.pages.call_release import release_href, short
from watchkeeper.console.pages.live import share
from watchkeeper.console.pages.release import Permits
from watchkeeper.console.pages.release_diff import PlaceDiff
from watchkeeper.console.pages.rollouts import RolloutHead, RolloutLine, rollout_line

POINTS_MAX = 120
LOOKS_SHOWN = 25
NAMES = {
    "errors": "Errors",
    "parse_failures": "Outputs failed",
    "latency": "Slow answers",
    "cost": "Cost a call",
    "feedback": "Below the best score",
}
_MONEY = ("cost",)
_VERDICTS = {
    "worse": ("error", "worse"),
    "no_worse": ("ok", "no worse"),
    "better": ("valid", "better"),
    "unknown": ("other", "not yet known"),
    "missing": ("warning", "figures missing"),
}
"""Verdict -> shape and word."""
VERBS = {
    "pause": "Pause",
    "resume": "Resume",
    "widen": "Widen",
    "stop": "Stop",
    "conclude": "Conclude",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What one look saw and decided."""

    at: datetime
    step: int
    decision: str
    evidence: Mapping[str, Any]
    """As `server.rollouts` keeps it: `reason`, `arms`, `findings`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepPlan:
    """One step of a rollout."""

    share: float
    bake_s: float
    least_calls: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StepLine:
    """One step, as it is shown."""

    share: str
    state: str
    """`done`, `now` or `ahead`."""
    asks: str


@dataclass(frozen=True, slots=True)
class Progress:
    """What a step asks for, and how much of it there is."""

    label: str
    value: str
    bar: Markup


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingPanel:
    """One metric of one candidate."""

    id: str
    name: str
    release: str
    shape: str
    verdict: str
    baseline: str
    candidate: str
    counts: str
    interval: str
    margin: str
    needed: str
    svg: Markup


@dataclass(frozen=True, slots=True)
class ArmLine:
    """One arm."""

    release: str
    href: str
    role: str
    share: str
    calls: str
    units: str


@dataclass(frozen=True, slots=True)
class LookLine:
    """One look."""

    at: str
    step: str
    decision: str
    shape: str
    reason: str
    times: int
    """How many looks in a row said the same; this is the latest of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleView:
    """A call and its shadow, side by side."""

    call_href: str
    shadow_href: str
    diff: PlaceDiff


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowView:
    """How the answers of a shadow compare."""

    facts: tuple[tuple[str, str], ...]
    samples: tuple[SampleView, ...]


@dataclass(frozen=True, slots=True)
class Winner:
    """A release that a test may be concluded with."""

    release: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutPage:
    """The page."""

    line: RolloutLine
    kind: str
    is_active: bool
    reason: str
    """Of the latest look, or why it ended."""
    steps: tuple[StepLine, ...]
    progress: tuple[Progress, ...]
    arms: tuple[ArmLine, ...]
    findings: tuple[FindingPanel, ...]
    looks: tuple[LookLine, ...]
    looks_left: str
    shadow: ShadowView | None
    verbs: tuple[tuple[str, str], ...]
    """What may be done now: the verb and its label."""
    winners: tuple[Winner, ...]
    calls_href: str
    url: str
    """This page again, to look for news; empty when it has ended."""
    permits: Permits


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutFound:
    """What the stores say of a rollout."""

    head: RolloutHead
    step_at: datetime
    plan: tuple[StepPlan, ...]
    looks: Sequence[Look]
    """The newest first."""
    now: datetime
    shadow: ShadowView | None = None


def rollout_page(found: RolloutFound, permits: Permits) -> RolloutPage:
    """Build the page from what the stores found."""
    head, line = found.head, rollout_line(found.head)
    latest: Mapping[str, Any] = next((look.evidence for look in found.looks if look.evidence.get("findings")), {})
    newest = found.looks[0] if found.looks else None
    is_active, lines = not head.ended_at, _looks(found.looks)
    return RolloutPage(
        line=line,
        kind=head.kind,
        is_active=is_active,
        reason=head.outcome if head.outcome and not is_active else _reason(newest) or head.outcome,
        steps=_steps(found) if head.kind == "canary" else (),
        progress=_progress(found, latest) if is_active else (),
        arms=_arms(head, latest),
        findings=tuple(_panel(one, found.looks) for one in latest.get("findings", ())),
        looks=lines[:LOOKS_SHOWN],
        looks_left=figures.count(len(lines) - LOOKS_SHOWN) if len(lines) > LOOKS_SHOWN else "",
        shadow=found.shadow,
        verbs=tuple((verb, VERBS[verb]) for verb in _verbs(head)) if is_active and permits.may_promote else (),
        winners=tuple(
            Winner(release, f"{short(release)}{'' if place else ', the one that stands'}")
            for place, release in enumerate([head.baseline, *(arm.release for arm in head.arms)])
        ),
        calls_href=f"/calls?rollout={head.id}&window=all",
        url=line.href if is_active else "",
        permits=permits,
    )


def _verbs(head: RolloutHead) -> list[str]:
    going = ["resume"] if head.state == "paused" else ["pause"]
    match head.kind:
        case "canary":
            return [*going, "widen", "stop"]
        case "ab":
            return [*going, "stop", "conclude"]
        case _:
            return ["stop"]


def _reason(look: Look | None) -> str:
    return str(look.evidence.get("reason", "")) if look is not None else ""


def _steps(found: RolloutFound) -> tuple[StepLine, ...]:
    lines = []
    for place, step in enumerate(found.plan):
        is_done = place < found.head.step or found.head.state == "done"
        asks = f"{figures.span(timedelta(seconds=step.bake_s))}, {figures.count(step.least_calls)} calls"
        state = "done" if is_done else "now" if place == found.head.step and not found.head.ended_at else "ahead"
        lines.append(StepLine(share=share(step.share), state=state, asks=asks if step.share < 1 else "takes over"))
    return tuple(lines)


def _progress(found: RolloutFound, latest: Mapping[str, Any]) -> tuple[Progress, ...]:
    if not 0 <= found.head.step < len(found.plan) or found.head.kind == "shadow":
        return ()
    step, age_s = found.plan[found.head.step], max(0.0, (found.now - found.step_at).total_seconds())
    tried = {arm.release for arm in found.head.arms}
    calls = sum(int(arm.get("calls", 0)) for arm in latest.get("arms", ()) if arm.get("release") in tried)
    said = f"{figures.count(calls)} of at least {figures.count(step.least_calls)}"
    aged = f"{figures.duration(1_000 * age_s)} of at least {figures.span(timedelta(seconds=step.bake_s))}"
    return (
        Progress("Calls of the candidate in this step", said, meter(calls / max(1, step.least_calls))),
        Progress("Time in this step", aged, meter(age_s / max(1.0, step.bake_s))),
    )


def _arms(head: RolloutHead, latest: Mapping[str, Any]) -> tuple[ArmLine, ...]:
    seen = {arm.get("release"): arm for arm in latest.get("arms", ())}
    shares = {arm.release: arm.share for arm in head.arms}
    rest = 1.0 if head.kind == "shadow" else 1.0 - sum(shares.values())
    lines = []
    for place, release in enumerate([head.baseline, *shares]):
        figures_of = seen.get(release, {})
        role = "stands" if not place else "copy" if head.kind == "shadow" else "candidate"
        calls, units = figures_of.get("calls"), figures_of.get("units")
        part = share(shares[release] if place else rest) if not head.ended_at else figures.NOTHING
        lines.append(
            ArmLine(short(release), release_href(release), role, part, figures.count(calls), figures.count(units))
        )
    return tuple(lines)


def _panel(one: Mapping[str, Any], looks: Sequence[Look]) -> FindingPanel:
    metric, release = str(one.get("metric", "")), str(one.get("release", ""))
    shape, verdict = _VERDICTS.get(str(one.get("verdict", "")), ("other", str(one.get("verdict", ""))))
    low, high = one.get("harm_low"), one.get("harm_high")
    known = low is not None and high is not None
    interval = f"{written(metric, low, signed=True)} to {written(metric, high, signed=True)}" if known else ""
    name = NAMES.get(metric, metric.replace("_", " "))
    count, needed = int(one.get("candidate_count", 0)), one.get("needed")
    more = f"about {figures.count(needed - count)} more of the candidate's calls" if needed and needed > count else ""
    return FindingPanel(
        id=f"{metric}-{release[-6:]}",
        name=name,
        release=short(release),
        shape=shape,
        verdict=verdict,
        baseline=written(metric, one.get("baseline")),
        candidate=written(metric, one.get("candidate")),
        counts=f"{figures.count(count)} and {figures.count(int(one.get('baseline_count', 0)))} observations",
        interval=interval,
        margin=written(metric, one.get("margin"), signed=True),
        needed=more if shape == "other" else "",
        svg=draw_sequence(
            SequenceChart(
                summary=f"{name}: {verdict}{f', worse by {interval}' if interval else ''}.",
                points=_points(looks, metric, release),
                margin=float(one.get("margin") or 0.0),
            )
        ),
    )


def _points(looks: Sequence[Look], metric: str, release: str) -> tuple[SequencePoint, ...]:
    """What each look of the latest step knew, oldest first; of many, some evenly chosen and the last."""
    step = looks[0].step if looks else 0
    found = []
    for look in reversed([look for look in looks if look.step == step]):
        for one in look.evidence.get("findings", ()):
            if one.get("metric") == metric and one.get("release") == release:
                harm = float(one.get("harm") or 0.0)
                found.append(SequencePoint(look.at, one.get("harm_low"), harm, one.get("harm_high")))
    stride = -(-len(found) // POINTS_MAX) or 1
    chosen = found[::stride]
    return tuple(chosen if not found or chosen[-1] is found[-1] else [*chosen, found[-1]])


def written(metric: str, value: float | None, *, signed: bool = False) -> str:
    """Write a metric's value, or a difference of two of its values, in its own unit."""
    if value is None:
        return figures.NOTHING
    if metric in _MONEY:
        sign = "−" if value < 0 else "+" if signed and value > 0 else ""
        return f"{sign}{figures.money(abs(round(value)))}"
    text = f"{100 * value:+.2f} points" if signed else f"{100 * value:.2f} %"
    return text.replace("-", "−")


def _looks(looks: Sequence[Look]) -> tuple[LookLine, ...]:
    """One line for looks in a row that say the same, but for their figures."""
    said = groupby(looks, key=lambda look: (look.step, look.decision, _LATER.sub("", _reason(look))))
    groups = [list(group) for _, group in said]
    return tuple(_look(group[0], len(group)) for group in groups)


_LATER = re.compile(r"[\d.,]+")


def _look(look: Look, times: int) -> LookLine:
    shapes = {"roll_back": "error", "pause": "warning", "widen": "valid", "succeed": "valid"}
    decision = str(look.decision)
    return LookLine(
        figures.iso(look.at),
        str(look.step + 1),
        decision.replace("_", " "),
        shapes.get(decision, "other"),
        _reason(look),
        times,
    )
