"""Patterns: the components of the pages about drift; ordinary, empty and hostile data."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from watchkeeper.config.canaries import Canary
from watchkeeper.console.charts.series import Marker
from watchkeeper.console.pages.drift import (
    CanaryFound,
    DriftPage,
    FeatureDriftPage,
    course_panels,
    drift_page,
    feature_drift_page,
)
from watchkeeper.evals.drift.readings import Group, Level, Look, Reading, Reference
from watchkeeper.evals.drift.rounds import Moved, Round, Verdict
from watchkeeper.store.canaries import RoundRow
from watchkeeper.store.drift import FindingKind, FindingRow
from watchkeeper.store.drift_figures import CourseStep

_AT = datetime(2026, 1, 31, 14, tzinfo=UTC)
_HOUR = timedelta(hours=1)
_STEPS = 28


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftPatterns:
    """The page."""

    busy: DriftPage
    feature: FeatureDriftPage


def drift_patterns(*, hostile: str, long: str) -> DriftPatterns:
    """Build the page; it asks nothing of any store and is always the same."""
    moved, calm, young = _looks(hostile)
    findings = [_finding(4, "accepted", hostile), _finding(3, "over", long), _finding(2, "raised", hostile)]
    open_of = {moved: frozenset({"output_letters", "tools"})}
    steps = [
        CourseStep(
            step=place, calls=100 + place, input_letters=60.0, output_letters=400.0 - 8 * place, duration_ms=900.0,
            answers=90, refusals=place % 5, checked=0, failed=0,
        )
        for place in range(_STEPS)
        if place % 9
    ]  # fmt: skip
    marker = Marker(_AT - 60 * _HOUR, f"raised: {hostile}")
    panels = course_panels(steps, _AT - 12 * _STEPS * _HOUR, 12 * 3600, _STEPS, [marker])
    return DriftPatterns(
        busy=drift_page([moved, calm, young], open_of, findings, _canaries(hostile, long), is_watched=True),
        feature=feature_drift_page("support", [moved, calm, young], open_of, findings, panels, may_accept=True),
    )


def _looks(hostile: str) -> tuple[Look, Look, Look]:
    reference = Reference(since=_AT - 240 * _HOUR, until=_AT - 72 * _HOUR, by=hostile)
    readings = (
        Reading(signal="output_letters", side="outputs", kind="number", before=412.0, after=243.0, effect=0.41,
                p=1e-9, units_before=2_000, units_after=180, psi=0.61, psi_by_chance=0.14, breach="certain",
                cause="outputs"),
        Reading(signal="tools", side="outputs", kind="category", before=None, after=None, effect=0.12, p=2e-4,
                units_before=2_000, units_after=180, breach="suspected", cause="outputs",
                levels=(Level(hostile, 0.02, 0.14), Level("no tool", 0.98, 0.86))),
        Reading(signal="refusals", side="outputs", kind="rate", before=0.02, after=0.021, effect=0.001, p=0.83,
                units_before=2_000, units_after=180),
        Reading(signal="input_letters", side="inputs", kind="number", before=61.0, after=60.0, effect=0.02, p=0.4,
                units_before=2_000, units_after=180, psi=0.02, psi_by_chance=0.14),
    )  # fmt: skip
    group = Group("support", "production", "wk1-" + "a" * 26, "openai/gpt-4o-mini")
    moved = Look(group=group, window="hour", since=_AT - _HOUR, until=_AT, calls=212, reference=reference,
                 readings=readings)  # fmt: skip
    volume = Reading(signal="volume", side="inputs", kind="volume", before=210.0, after=212.0, effect=0.01, p=0.9,
                     units_before=8, units_after=1)  # fmt: skip
    calm = Look(group=Group("support", "production", "", ""), window="day", since=_AT - 24 * _HOUR, until=_AT,
                calls=5_012, reference=reference, readings=(volume,))  # fmt: skip
    young = Look(group=Group(hostile, "staging", "", hostile), window="day", since=_AT - 24 * _HOUR, until=_AT,
                 calls=120, not_judged="There is less than a day of calls to compare with.")  # fmt: skip
    return moved, calm, young


def _finding(number: int, kind: FindingKind, sentence: str) -> FindingRow:
    group = Group("support", "production", "", "openai/gpt-4o-mini") if number % 2 else Group("", "", "", "openai/m")
    return FindingRow(
        id=number, at=_AT - number * _HOUR, kind=kind, group=group, signal="output_letters",
        cause="outputs", sentence=sentence, evidence={}, by="watchkeeper",
    )  # fmt: skip


def _canaries(hostile: str, long: str) -> list[CanaryFound]:
    canary = Canary.model_validate({"model": "openai/gpt-4o-mini", "every": "6h", "budget": "0.20 USD"})
    changed = Verdict(
        status="changed", reason="31 % of its answers are the usual ones, where 97 % were before.", p=2e-5,
        distance=0.9, usual=0.1, moved=(Moved("json", hostile, long, 1.2),), metadata=(hostile,),
    )  # fmt: skip
    same = Verdict(status="same", reason="97 % of its answers are the usual ones.", p=0.4)

    def row(number: int, verdict: Verdict) -> RoundRow:
        round_ = Round(prompts="set", at=_AT - number * 6 * _HOUR, answers=())
        return RoundRow(id=20 - number, model="m", round=round_, verdict=verdict, cost_nusd=1_000, by="watchkeeper")

    return [
        CanaryFound(model="openai/gpt-4o-mini", configured=canary, rounds=[row(0, changed), row(1, same)]),
        CanaryFound(model=hostile, configured=None, rounds=()),
    ]
