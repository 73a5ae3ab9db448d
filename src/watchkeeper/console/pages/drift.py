"""Drift: what is looked at, what has moved, and how models answer that are asked the same again and again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote, urlencode

from markupsafe import Markup

from watchkeeper.config.canaries import Canary
from watchkeeper.console import figures
from watchkeeper.console.charts.series import Chart, Marker, Series, draw
from watchkeeper.console.charts.svg import number
from watchkeeper.console.pages.call_release import release_href, short
from watchkeeper.core.money import usd
from watchkeeper.evals.drift.readings import Look, Reading, probability, sentence
from watchkeeper.evals.drift.signals import SIGNAL
from watchkeeper.store.canaries import RoundRow
from watchkeeper.store.drift import FindingRow
from watchkeeper.store.drift_figures import CourseStep

PATH = "/drift"
LEVELS_SHOWN = 3
ROUNDS_SHOWN = 12
_SHARES = frozenset({"refusals", "parse_failures", "cut_off"})
_SHAPES = {"raised": "warning", "over": "ok", "accepted": "valid"}
_STATUS_SHAPES = {"same": "ok", "changed": "error", "suspected": "warning", "unmeasured": "cancelled"}
"""Of a canary's round; others have the plain shape."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingLine:
    """One signal."""

    label: str
    side: str
    before: str
    after: str
    effect: str
    floor: str
    p: str
    psi: str
    moved: str
    """Of a category: what moved most."""
    state: str
    shape: str
    sentence: str
    """Empty where it has not moved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LookCard:
    """The last look at one group in one window."""

    id: str
    """Unique on the page."""
    title: str
    release: str
    release_href: str
    target: str
    environment: str
    window: str
    since: str
    until: str
    calls: str
    calls_href: str
    compared: str
    """With what, in words."""
    not_judged: str
    open: tuple[str, ...]
    readings: tuple[ReadingLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureLine:
    """One feature among all."""

    feature: str
    href: str
    environments: str
    looked: str
    calls: str
    moved: tuple[str, ...]
    note: str
    """Why nothing is known; empty where something is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingLine:
    """Something that was found, is over, or was accepted."""

    at: str
    kind: str
    shape: str
    where: str
    href: str
    sentence: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryLine:
    """One model that is asked the same again and again."""

    model: str
    every: str
    budget: str
    last: str
    status: str
    shape: str
    reason: str
    metadata: tuple[str, ...]
    moved: tuple[tuple[str, str, str], ...]
    """Prompt, usual answer, answer now."""
    rounds: tuple[tuple[str, str, str], ...]
    """Shape, when, and in words, of the last rounds, the oldest first."""
    can_accept: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftPage:
    """All features and models."""

    is_watched: bool
    features: tuple[FeatureLine, ...]
    canaries: tuple[CanaryLine, ...]
    shows_canaries: bool
    """Whether who looks may see them."""
    findings: tuple[FindingLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CoursePanel:
    """How one signal went."""

    id: str
    title: str
    value: str
    note: str
    svg: Markup


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureDriftPage:
    """One feature."""

    feature: str
    feature_href: str
    action: str
    """Where the form that accepts is sent."""
    open: tuple[str, ...]
    cards: tuple[LookCard, ...]
    panels: tuple[CoursePanel, ...]
    findings: tuple[FindingLine, ...]
    may_accept: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryFound:
    """What is known of one canary."""

    model: str
    configured: Canary | None
    rounds: Sequence[RoundRow]
    """The newest first."""


def drift_page(
    looks: Sequence[Look],
    open_of: Mapping[Look, frozenset[str]],
    findings: Sequence[FindingRow],
    canaries: Sequence[CanaryFound] | None,
    *,
    is_watched: bool,
) -> DriftPage:
    """Build the page.

    Args:
        looks: The last of each group in each window.
        open_of: What is open of each.
        findings: The newest first.
        canaries: None where who looks may not see them.
        is_watched: Whether drift is looked for.
    """
    names = sorted({look.group.feature for look in looks})
    lines = [_feature_line(name, [look for look in looks if look.group.feature == name], open_of) for name in names]
    lines.sort(key=lambda line: (not line.moved, line.feature))
    return DriftPage(
        is_watched=is_watched,
        features=tuple(lines),
        canaries=tuple(_canary_line(one) for one in canaries or ()),
        shows_canaries=canaries is not None,
        findings=tuple(finding_line(row) for row in findings),
    )


def feature_drift_page(
    feature: str,
    looks: Sequence[Look],
    open_of: Mapping[Look, frozenset[str]],
    findings: Sequence[FindingRow],
    panels: Sequence[CoursePanel],
    *,
    may_accept: bool,
) -> FeatureDriftPage:
    """Build the page of one feature; groups in which something has moved come first."""
    shown = sorted(looks, key=lambda look: (not open_of.get(look), look.group, look.window))
    moved = sorted({SIGNAL[name].label for look in looks for name in open_of.get(look, ()) if name in SIGNAL})
    return FeatureDriftPage(
        feature=feature,
        feature_href=f"/features/{quote(feature, safe='')}",
        action=f"{href_of(feature)}/accept",
        open=tuple(moved),
        cards=tuple(_card(look, open_of.get(look, frozenset()), place) for place, look in enumerate(shown)),
        panels=tuple(panels),
        findings=tuple(finding_line(row) for row in findings),
        may_accept=may_accept,
    )


def href_of(feature: str) -> str:
    """Return the address of a feature's page."""
    return f"{PATH}/{quote(feature, safe='')}"


def course_panels(
    steps: Sequence[CourseStep], since: datetime, step_s: int, count: int, markers: Sequence[Marker]
) -> tuple[CoursePanel, ...]:
    """Draw how a feature's signals went, each in a small chart; what nobody knows is left out."""
    by_step = {step.step: step for step in steps}
    rows = [by_step.get(place) for place in range(count)]

    def shares(part: str, whole: str) -> list[float | None]:
        return [
            100 * getattr(row, part) / getattr(row, whole) if row is not None and getattr(row, whole) else None
            for row in rows
        ]

    def medians(name: str) -> list[float | None]:
        return [getattr(row, name) if row is not None else None for row in rows]

    drawn: tuple[tuple[str, str, str, list[float | None]], ...] = (
        ("input-length", "Length of inputs", "letters, median", medians("input_letters")),
        ("output-length", "Length of answers", "letters, median", medians("output_letters")),
        ("refusals", "Refusals", "% of answers", shares("refusals", "answers")),
        ("parse-failures", "Answers that do not fit", "% of those checked", shares("failed", "checked")),
        ("latency", "Latency", "ms, median", medians("duration_ms")),
        ("calls", "Calls", "per step", medians("calls")),
    )
    panels = []
    for name, title, unit, values in drawn:
        known = [value for value in values if value is not None]
        if not known:
            continue
        chart = Chart(
            title=title,
            summary=f"{title}, {unit}: {known[0]:,.3g} at first, {known[-1]:,.3g} at last.",
            since=since,
            step_s=step_s,
            series=(Series(title, "calls", tuple(values)),),
            kind="lines",
            unit="ms" if name == "latency" else "count",
            written=number,
            markers=tuple(markers),
        )
        panels.append(CoursePanel(id=name, title=title, value=f"{known[-1]:,.3g}", note=unit, svg=draw(chart)))
    return tuple(panels)


def finding_line(row: FindingRow) -> FindingLine:
    """Build one line of what was found."""
    group = row.group
    is_canary = not group.feature
    return FindingLine(
        at=figures.iso(row.at),
        kind=row.kind,
        shape=_SHAPES.get(row.kind, "other"),
        where=group.target if is_canary else f"{group.feature}, {group.environment}",
        href="" if is_canary else href_of(group.feature),
        sentence=row.sentence,
        by=row.by,
    )


def _feature_line(name: str, looks: Sequence[Look], open_of: Mapping[Look, frozenset[str]]) -> FeatureLine:
    newest = max(looks, key=lambda look: look.until)
    moved = sorted({SIGNAL[one].label for look in looks for one in open_of.get(look, ()) if one in SIGNAL})
    judged = any(look.readings for look in looks)
    return FeatureLine(
        feature=name,
        href=href_of(name),
        environments=", ".join(sorted({look.group.environment for look in looks})),
        looked=figures.iso(newest.until),
        calls=figures.count(sum(look.calls for look in looks if not look.group.target and look.window == "day")),
        moved=tuple(moved),
        note="" if judged else next((look.not_judged for look in looks if look.not_judged), ""),
    )


def _card(look: Look, is_open: frozenset[str], place: int) -> LookCard:
    group, reference = look.group, look.reference
    asked = {"feature": group.feature, "release": group.release}
    asked |= {"since": figures.iso(look.since), "until": figures.iso(look.until)}
    compared = ""
    if reference is not None and group.target:
        by = "its first days" if reference.by == "watchkeeper" else f"accepted by {reference.by}"
        since, until = figures.iso(reference.since), figures.iso(reference.until)
        compared = f"{figures.moment(since)} to {figures.moment(until)} UTC, {by}"
    return LookCard(
        id=f"look-{place}",
        title="How many calls come" if not group.target else group.target,
        release=short(group.release) if group.release else "",
        release_href=release_href(group.release) if group.release else "",
        target=group.target,
        environment=group.environment,
        window=look.window,
        since=figures.iso(look.since),
        until=figures.iso(look.until),
        calls=figures.count(look.calls),
        calls_href=f"/calls?{urlencode({name: value for name, value in asked.items() if value})}",
        compared=compared,
        not_judged=look.not_judged,
        open=tuple(sorted(SIGNAL[name].label for name in is_open if name in SIGNAL)),
        readings=tuple(_reading_line(one, look, is_open) for one in look.readings),
    )


def _reading_line(one: Reading, look: Look, is_open: frozenset[str]) -> ReadingLine:
    signal = SIGNAL[one.signal]
    state = "moved" if one.signal in is_open else one.breach or "as before"
    return ReadingLine(
        label=signal.label,
        side=one.side,
        before=_figure(one.signal, one.before),
        after=_figure(one.signal, one.after),
        effect=f"{one.effect:.2g}",
        floor=f"{signal.floor:g}",
        p=probability(one.p).removeprefix("p = ").removeprefix("p "),
        psi="" if one.psi is None else f"{one.psi:.3f}",
        moved=", ".join(
            f"{level.name or 'none'} {100 * level.before:.0f} to {100 * level.after:.0f} %"
            for level in one.levels[:LEVELS_SHOWN]
        ),
        state=state,
        shape={"as before": "ok", "suspected": "warning"}.get(state, "error"),
        sentence=sentence(one, look) if one.breach else "",
    )


def _figure(signal: str, value: float | None) -> str:
    if value is None:
        return ""
    if signal == "latency_ms":
        return figures.duration(value)
    return f"{100 * value:.1f} %" if signal in _SHARES else f"{value:,.0f}"


def _canary_line(one: CanaryFound) -> CanaryLine:
    last = one.rounds[0] if one.rounds else None
    verdict = last.verdict if last is not None else None
    status = verdict.status if verdict is not None else "never asked"
    return CanaryLine(
        model=one.model,
        every=f"{one.configured.every / 3600:g} h" if one.configured is not None else "not any more",
        budget=f"${usd(one.configured.budget)} a day" if one.configured is not None else "",
        last=figures.iso(last.round.at) if last is not None else "",
        status=status,
        shape=_STATUS_SHAPES.get(status, "other"),
        reason=verdict.reason if verdict is not None else "",
        metadata=verdict.metadata if verdict is not None else (),
        moved=tuple((moved.prompt, moved.before, moved.after) for moved in verdict.moved) if verdict else (),
        rounds=tuple(
            (_STATUS_SHAPES.get(row.verdict.status, "other"), figures.iso(row.round.at), row.verdict.status)
            for row in reversed(one.rounds[:ROUNDS_SHOWN])
        ),
        can_accept=last is not None,
    )
