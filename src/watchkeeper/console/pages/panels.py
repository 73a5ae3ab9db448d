"""The charts of the overview: each answers one question about a window, and can also be shown large."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from watchkeeper.console import figures
from watchkeeper.console.charts.series import Chart, Marker, Series
from watchkeeper.console.charts.svg import number
from watchkeeper.core.money import NUSD_PER_USD
from watchkeeper.store.rows import Bucket, Overview

ERROR_CLASSES_MAX = 4
"""More classes than this share one colour as "other"."""


@dataclass(frozen=True, slots=True)
class Legend:
    """One series in words."""

    name: str
    tone: str
    value: str
    """Over the whole window."""


@dataclass(frozen=True, slots=True)
class Change:
    """How a figure compares with the window before."""

    text: str
    verdict: str = ""
    """`better`, `worse`, or empty when the change means neither."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One question answered: a number, its change, its course."""

    value: str
    exact: str = ""
    """Every digit, or what the number means; shown on hovering."""
    note: str = ""
    change: Change | None
    legend: tuple[Legend, ...]
    chart: Chart
    filters: tuple[tuple[str, str], ...] = ()
    """URL parameters that narrow the calls to those behind the figure."""


@dataclass(frozen=True, slots=True)
class Question:
    """A chart that can be asked for by name."""

    id: str
    title: str
    answer: Callable[[Overview, Sequence[Marker]], Figure]
    is_asked: Callable[[Overview], bool] = lambda found: True
    """Whether there is something to answer."""


def _volume(found: Overview, markers: Sequence[Marker]) -> Figure:
    total, steps = found.total, found.steps
    layers = {
        "ok": ("ok", [step.calls - step.errors - step.cancelled for step in steps]),
        "errors": ("error", [step.errors for step in steps]),
        "cancelled": ("cancelled", [step.cancelled for step in steps]),
    }
    series = [
        Series(name, tone, tuple(values)) for name, (tone, values) in layers.items() if name == "ok" or any(values)
    ]
    value = figures.short_count(total.calls)
    return Figure(
        value=value,
        exact=f"{figures.count(total.calls)} calls",
        change=change_of(total.calls, found.previous.calls),
        legend=tuple(Legend(s.name, s.tone, figures.count(int(_sum(s)))) for s in series),
        chart=_chart(found, markers, series, title="Calls", kind="bars", unit="count", summary=f"{value} calls"),
    )


def _errors(found: Overview, markers: Sequence[Marker]) -> Figure:
    total = found.total
    classes = Counter(total.errors_by_class)
    ranked = sorted(classes, key=lambda name: (-classes[name], name))
    shown, left = ranked[:ERROR_CLASSES_MAX], ranked[ERROR_CLASSES_MAX:]
    series = [
        Series(
            name.replace("_", " "), f"error-{place}", tuple(step.errors_by_class.get(name, 0) for step in found.steps)
        )
        for place, name in enumerate(shown, start=1)
    ]
    if left:
        rest = tuple(step.errors - sum(step.errors_by_class.get(name, 0) for name in shown) for step in found.steps)
        series.append(Series(left[0].replace("_", " ") if len(left) == 1 else "other", "other", rest))
    series = series or [Series("errors", "error-1", tuple(step.errors for step in found.steps))]
    value = figures.share(total.errors, total.calls)
    return Figure(
        value=value,
        exact=f"{figures.count(total.errors)} of {figures.count(total.calls)} calls failed",
        note=f"{figures.count(total.errors)} failed" if total.errors else "no call failed" if total.calls else "",
        change=change_of(_ratio(total), _ratio(found.previous), better="down"),
        legend=tuple(Legend(s.name, s.tone, figures.count(int(_sum(s)))) for s in series if _sum(s)),
        chart=_chart(
            found, markers, series, title="Errors", kind="bars", unit="count", summary=f"{value} of calls failed"
        ),
        filters=(("status", "error"),),
    )


def _latency(found: Overview, markers: Sequence[Marker]) -> Figure:
    total = found.total
    tones = {"p50": "line-1", "p95": "line-2", "p99": "line-3"}
    whole = {"p50": total.duration_p50_ms, "p95": total.duration_p95_ms, "p99": total.duration_p99_ms}
    courses = {
        "p50": tuple(step.duration_p50_ms for step in found.steps),
        "p95": tuple(step.duration_p95_ms for step in found.steps),
        "p99": tuple(step.duration_p99_ms for step in found.steps),
    }
    return Figure(
        value=figures.duration(total.duration_p95_ms),
        exact="95 of 100 calls took no longer than this",
        note="p95",
        change=change_of(total.duration_p95_ms, found.previous.duration_p95_ms, better="down"),
        legend=tuple(Legend(name, tones[name], figures.duration(whole[name])) for name in courses),
        chart=_chart(
            found,
            markers,
            [Series(name, tone, courses[name]) for name, tone in tones.items()],
            title="Latency",
            kind="lines",
            unit="ms",
            summary="; ".join(f"{name} {figures.duration(value)}" for name, value in whole.items()),
        ),
    )


def _first_token(found: Overview, markers: Sequence[Marker]) -> Figure:
    total = found.total
    whole = {"p50": total.first_token_p50_ms, "p95": total.first_token_p95_ms}
    courses = {
        "p50": Series("p50", "line-1", tuple(step.first_token_p50_ms for step in found.steps)),
        "p95": Series("p95", "line-2", tuple(step.first_token_p95_ms for step in found.steps)),
    }
    return Figure(
        value=figures.duration(total.first_token_p50_ms),
        exact="half of the streamed calls had their first token within this time",
        note="p50, streams" if total.first_token_p50_ms is not None else "no streamed call",
        change=change_of(total.first_token_p50_ms, found.previous.first_token_p50_ms, better="down"),
        legend=tuple(Legend(name, courses[name].tone, figures.duration(value)) for name, value in whole.items()),
        chart=_chart(
            found,
            markers,
            list(courses.values()),
            title="Time to first token",
            kind="lines",
            unit="ms",
            summary="; ".join(f"{name} {figures.duration(value)}" for name, value in whole.items()),
        ),
        filters=(("stream", "yes"),),
    )


def _cost(found: Overview, markers: Sequence[Marker]) -> Figure:
    total = found.total
    measured = Series("measured", "ok", tuple(_dollars(step.cost_nusd - step.estimated_nusd) for step in found.steps))
    estimated = Series("estimated", "estimated", tuple(_dollars(step.estimated_nusd) for step in found.steps))
    parts = []
    if total.estimated_nusd:
        parts.append(f"of which {figures.money(total.estimated_nusd)} estimated")
    if total.unpriced_calls:
        parts.append(f"{figures.short_count(total.unpriced_calls)} {_plural('call', total.unpriced_calls)} unpriced")
    legend = [Legend("measured", "ok", figures.money(total.cost_nusd - total.estimated_nusd))]
    if total.estimated_nusd:
        legend.append(Legend("estimated", "estimated", figures.money(total.estimated_nusd)))
    if total.unpriced_calls:
        legend.append(
            Legend("unpriced", "none", f"{figures.count(total.unpriced_calls)} {_plural('call', total.unpriced_calls)}")
        )
    return Figure(
        value=figures.money(total.cost_nusd),
        exact=figures.exact_money(total.cost_nusd),
        note=", ".join(parts),
        change=change_of(total.cost_nusd, found.previous.cost_nusd),
        legend=tuple(legend),
        chart=_chart(
            found,
            markers,
            [measured, estimated] if total.estimated_nusd else [measured],
            title="Cost",
            kind="bars",
            unit="usd",
            summary=f"{figures.money(total.cost_nusd)} {', '.join(parts)}".strip(),
        ),
    )


def _tokens(found: Overview, markers: Sequence[Marker]) -> Figure:
    total = found.total
    both, before = (bucket.input_tokens + bucket.output_tokens for bucket in (total, found.previous))
    series = [
        Series("input", "ok", tuple(step.input_tokens for step in found.steps)),
        Series("output", "second", tuple(step.output_tokens for step in found.steps)),
    ]
    value = figures.short_count(both)
    return Figure(
        value=value,
        exact=f"{figures.count(both)} tokens",
        change=change_of(both, before),
        legend=tuple(Legend(s.name, s.tone, figures.short_count(int(_sum(s)))) for s in series),
        chart=_chart(found, markers, series, title="Tokens", kind="bars", unit="count", summary=f"{value} tokens"),
    )


def _outputs(found: Overview, markers: Sequence[Marker]) -> Figure:
    total = found.total
    failed = Series("failed", "error-1", tuple(step.failed_outputs for step in found.steps))
    repaired = Series("repaired", "error-3", tuple(step.repaired_outputs for step in found.steps))
    value = figures.share(total.failed_outputs, total.checked_outputs)
    checked = f"of {figures.count(total.checked_outputs)} answers that were held against a schema"
    return Figure(
        value=value,
        exact=f"{figures.count(total.failed_outputs)} {checked}",
        note="failed" if total.checked_outputs else "",
        change=change_of(_failed_outputs(total), _failed_outputs(found.previous), better="down"),
        legend=tuple(Legend(s.name, s.tone, figures.count(int(_sum(s)))) for s in (failed, repaired)),
        chart=_chart(
            found, markers, [failed, repaired], title="Outputs", kind="bars", unit="count", summary=f"{value} failed"
        ),
        filters=(("output", "failed"),),
    )


QUESTIONS = {
    question.id: question
    for question in (
        Question("calls", "Calls", _volume),
        Question("errors", "Errors", _errors),
        Question("latency", "Latency", _latency),
        Question("first-token", "Time to first token", _first_token),
        Question("cost", "Cost", _cost),
        Question("tokens", "Tokens", _tokens),
        Question("outputs", "Outputs", _outputs, lambda found: bool(_either(found, "checked_outputs"))),
    )
}
"""By the name a chart has in the URL, in the order of the page."""


def _chart(
    found: Overview,
    markers: Sequence[Marker],
    series: Sequence[Series],
    *,
    title: str,
    kind: str,
    unit: str,
    summary: str,
) -> Chart:
    return Chart(
        title=title,
        summary=f"{title}: {summary}.",
        since=found.steps[0].at if found.steps else found.total.at,
        step_s=found.step_s,
        series=tuple(series),
        kind="bars" if kind == "bars" else "lines",
        unit="ms" if unit == "ms" else "usd" if unit == "usd" else "count",
        written=_WRITTEN[unit],
        markers=tuple(markers),
    )


_WRITTEN: dict[str, Callable[[float], str]] = {
    "count": lambda value: figures.short_count(round(value)),
    "ms": figures.duration,
    "usd": lambda value: f"${number(value)}" if value >= 1 else f"${value:.2g}",
}


def change_of(now: float | None, before: float | None, *, better: str = "") -> Change | None:
    """Compare with the window before; None where there is nothing to compare.

    Args:
        now: The figure.
        before: The same over the window before.
        better: `down` when less is better; empty when neither direction is.
    """
    if now is None or not before:
        return None
    percent = 100 * (now - before) / before
    if abs(percent) < 1:
        return Change("±0 %")
    text = f"{percent:+.0f} %" if abs(percent) < 1_000 else f"×{figures.short_count(round(now / before))}"
    if better != "down" or abs(percent) < 5:
        return Change(text.replace("-", "−"))
    return Change(text.replace("-", "−"), "worse" if percent > 0 else "better")


def _ratio(bucket: Bucket) -> float | None:
    return bucket.errors / bucket.calls if bucket.calls else None


def _failed_outputs(bucket: Bucket) -> float | None:
    return bucket.failed_outputs / bucket.checked_outputs if bucket.checked_outputs else None


def _either(found: Overview, name: str) -> int:
    """What the window and the one before it have of something."""
    return int(getattr(found.total, name) + getattr(found.previous, name))


def _sum(series: Series) -> float:
    return sum(value for value in series.values if value)


def _dollars(nusd: int) -> float:
    """Return dollars for drawing only; amounts that are read come from the integers."""
    return nusd / NUSD_PER_USD


def _plural(word: str, number: int) -> str:
    return word if number == 1 else f"{word}s"
