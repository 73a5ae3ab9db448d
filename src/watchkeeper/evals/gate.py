"""Whether a release is good enough beside another one: what a run has shown, and what follows from it.

What blocks with a regression (exit code 3), and how often it does where nothing has changed:

* a primary metric, or latency or cost where the gate has a margin for them, that is `worse`: together in at most alpha
  of all runs (Holm), whatever their number;
* a share of passes surely below `min_pass`: in at most alpha of runs of a release that just reaches it;
* a case that fails a critical scorer: always, for no share of such cases is acceptable.

To pass, each of those metrics must be shown to be better or not worse. Each claim is wrong in at most alpha of runs,
and all of them must hold, so that the whole is too (intersection-union: R. Berger, Technometrics 24, 1982).
"""

import dataclasses
from collections.abc import Collection, Mapping, Sequence

from msgspec.structs import replace

from watchkeeper.evals.comparing import compare, compare_corrected, corrected_for_number
from watchkeeper.evals.correcting import checked, correction_of, judge_note
from watchkeeper.evals.decision import Breach, Comparison, Decision, Label, Missing, Point, Result
from watchkeeper.evals.missing import commonest, could_matter, is_worse_anyway, missing_of
from watchkeeper.evals.pairing import Arm, arm_of, pairs_of, series_of
from watchkeeper.evals.points import COST, LATENCY, PASSED
from watchkeeper.evals.repeating import breaches_of, flaky_cases, flips_of, marked_cases, over_repeats
from watchkeeper.evals.statistics.bounds import lower_bound, share_interval, upper_bound
from watchkeeper.evals.statistics.exact import at_most_after_none
from watchkeeper.evals.statistics.multiplicity import benjamini_hochberg, spent_on
from watchkeeper.evals.suite import Gate
from watchkeeper.evals.wording import (
    breaches_in_words,
    flips_in_words,
    in_words,
    missing_in_words,
    percent,
)

FURTHER_MARGIN = 0.1
"""What is said of latency and cost where the gate has no margin for them."""
SLICES_MAX = 50
"""Tags, those with most cases first."""
SLICE_SHARE_WRONG = 0.1
"""Of the slices called worse, so many may be wrong (false discovery rate)."""
INTERVAL_ALPHA = 0.05
_SEVERITY: tuple[Result, ...] = ("regression", "unmeasured", "inconclusive", "pass")

Finding = tuple[Result, str]
"""What something comes to by itself, and the sentence that says it."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    candidate: Arm
    baseline: Arm
    gate: Gate
    alpha: float
    labels: Sequence[Label]
    judged: Collection[str]

    @property
    def demanded(self) -> dict[str, float]:
        """Metrics that decide, with their margins."""
        margins = dict.fromkeys(self.gate.primary, self.gate.margin)
        if self.gate.latency is not None:
            margins[LATENCY] = self.gate.latency
        if self.gate.cost is not None:
            margins[COST] = self.gate.cost
        return margins


def decide(
    candidate: Sequence[Point],
    baseline: Sequence[Point],
    gate: Gate,
    *,
    labels: Sequence[Label] = (),
    repeats: int = 1,
    judged: Collection[str] = (),
    reasons: Mapping[str, int] | None = None,
    attempt: int = 0,
) -> Decision:
    """Decide what a run has shown. The same points give the same decision, in whatever order they come.

    Args:
        candidate: Of the release that is tried.
        baseline: Of the one beside it, on the same cases; empty where there is none.
        gate: What is asked of it.
        labels: That people gave answers of either arm (`candidate`, `baseline`).
        repeats: How often each case was to be asked; what the candidate has less is unmeasured.
        judged: Metrics that a model marks. With enough labels, the corrected difference decides.
        reasons: Why something was not measured, with how often.
        attempt: Which one of this comparison it is, from 1: each has half of the alpha that those before have left, so
            that trying until it passes does not help. 0 where attempts are not counted.
    """
    run = _Run(
        candidate=arm_of(candidate),
        baseline=arm_of(baseline),
        gate=gate,
        alpha=spent_on(attempt, gate.alpha),
        labels=labels,
        judged=frozenset(judged),
    )
    missing = missing_of(
        run.candidate, run.baseline, {*gate.primary, *gate.critical}, allowed=gate.unmeasured, repeats=repeats
    )
    missing = replace(missing, reasons=commonest(reasons or {}))
    comparisons = _demanded(run)
    breaches = breaches_of(run.candidate, gate.critical)
    gaps = _gaps(run, missing, comparisons)
    findings = [
        *_by_breaches(run, breaches),
        *gaps,
        *_by_comparisons(run, comparisons, has_gaps=bool(gaps)),
        *_by_floor(run, has_gaps=bool(gaps)),
    ]
    flips = flips_of(run.candidate, run.baseline)
    result, said = _concluded(run, findings)
    share = series_of(run.candidate, PASSED)
    interval = share_interval(share.whole, INTERVAL_ALPHA) if share else (None, None)
    chances = over_repeats(run.candidate) or (None, None)
    return Decision(
        result=result,
        reasons=(*said, *([flips_in_words(flips)] if flips else [])),
        passed=share.whole.mean if share else None,
        passed_lower=interval[0],
        passed_upper=interval[1],
        comparisons=comparisons,
        further=_further(run),
        slices=_slices(run),
        breaches=breaches,
        missing=missing,
        flaky=flaky_cases(run.candidate),
        flips=flips,
        passes_all=chances[0],
        passes_once=chances[1],
    )


def _demanded(run: _Run) -> tuple[Comparison, ...]:
    """Compare what decides; what cannot be compared is left out, and named by `_gaps`."""
    found = [_compare(run, metric, margin) for metric, margin in run.demanded.items()] if run.baseline else []
    return corrected_for_number([one for one in found if one is not None], run.alpha)


def _compare(run: _Run, metric: str, margin: float) -> Comparison | None:
    pairs = pairs_of(run.candidate, run.baseline, metric)
    if pairs is None:
        return None
    if metric not in run.judged:
        return compare(pairs, margin, run.alpha)
    answers = checked(run.labels, metric, run.candidate, run.baseline)
    corrected, note = correction_of(pairs, answers), judge_note(answers, INTERVAL_ALPHA)
    found = compare_corrected(pairs, corrected, margin, run.alpha) if corrected else compare(pairs, margin, run.alpha)
    return replace(found, note=f"{found.note} {note}".strip())


def _further(run: _Run) -> tuple[Comparison, ...]:
    """Compare what does not decide: other scorers, latency, cost."""
    if not run.baseline:
        return ()
    metrics = {metric for points in run.candidate.values() for point in points for metric in point.values}
    margins = {metric: FURTHER_MARGIN if metric in (LATENCY, COST) else run.gate.margin for metric in sorted(metrics)}
    found = [_compare(run, metric, margin) for metric, margin in margins.items() if metric not in run.demanded]
    return corrected_for_number([one for one in found if one is not None], run.alpha)


def _slices(run: _Run) -> tuple[tuple[str, Comparison], ...]:
    """Compare the primary metrics by tag, the worst first."""
    cases: dict[str, list[str]] = {}
    for case, points in run.candidate.items():
        for tag in dict.fromkeys(points[0].tags):
            cases.setdefault(tag, []).append(case)
    largest = sorted(cases, key=lambda tag: (-len(cases[tag]), tag))[:SLICES_MAX]
    parts = [
        (tag, dataclasses.replace(run, candidate={case: run.candidate[case] for case in cases[tag]}))
        for tag in (largest if run.baseline else ())
    ]
    compared = [(tag, _compare(part, metric, run.gate.margin)) for tag, part in parts for metric in run.gate.primary]
    found = [(tag, one) for tag, one in compared if one is not None]
    chances = benjamini_hochberg([one.p_worse for _, one in found])
    corrected = [
        (tag, _slice_corrected(one, chance, len(found))) for (tag, one), chance in zip(found, chances, strict=True)
    ]
    return tuple(sorted(corrected, key=lambda item: (item[1].corrected_p or 0.0, item[1].difference, item[0])))


def _slice_corrected(one: Comparison, chance: float, count: int) -> Comparison:
    if one.verdict != "worse" or chance <= SLICE_SHARE_WRONG:
        return replace(one, corrected_p=chance)
    note = f"{one.note} Worse if it were the only one of {count} slices; not beside the others.".strip()
    return replace(one, corrected_p=chance, verdict="cannot tell", note=note)


def _by_breaches(run: _Run, breaches: Sequence[Breach]) -> list[Finding]:
    confirmed = [one for one in breaches if one.is_confirmed]
    open_ = [one for one in breaches if not one.is_confirmed]
    found: list[Finding] = []
    if confirmed:
        found.append(("regression", f"Cases fail what must never fail: {breaches_in_words(confirmed)}."))
    if open_:
        said = breaches_in_words(open_)
        found.append(("inconclusive", f"Cases failed what must never fail, once and not again: {said}. Repeat them."))
    for scorer in run.gate.critical:
        cases = marked_cases(run.candidate, scorer)
        if not cases:
            found.append(("unmeasured", f"No case has a mark by {scorer}, which must never fail."))
        elif all(one.scorer != scorer for one in breaches):
            bound = percent(at_most_after_none(cases, run.alpha))
            found.append(("pass", f"{scorer} fails in none of {cases:,} cases: in less than {bound} of such cases."))
    return found


def _gaps(run: _Run, missing: Missing, comparisons: Sequence[Comparison]) -> list[Finding]:
    """What was not measured and should have been."""
    found: list[Finding] = []
    most = max(missing.candidate, missing.baseline or 0.0)
    if most > missing.allowed:
        found.append(("unmeasured", missing_in_words(missing)))
    elif missing.p_differs is not None and missing.p_differs < INTERVAL_ALPHA:
        said = f"{missing_in_words(missing)} One arm has more of them than chance explains."
        if could_matter(run.candidate, run.baseline, run.gate.margin, run.alpha):
            found.append(("unmeasured", f"{said} Had they failed, the candidate could be worse by the margin."))
    wanted = set(run.demanded if run.baseline else ()) - {one.metric for one in comparisons}
    found.extend(("unmeasured", f"No case has {metric} under both arms.") for metric in sorted(wanted))
    return found


def _by_comparisons(run: _Run, comparisons: Sequence[Comparison], *, has_gaps: bool) -> list[Finding]:
    """With gaps, what seems worse counts if it were so whatever the missing answers had been."""
    found: list[Finding] = []
    for one in comparisons:
        result: Result = "pass"
        if one.verdict == "worse":
            is_sure = not has_gaps or (one.metric == PASSED and is_worse_anyway(run.candidate, run.baseline, run.alpha))
            result = "regression" if is_sure else "inconclusive"
        elif one.verdict == "cannot tell":
            result = "inconclusive"
        found.append((result, in_words(one)))
    return found


def _by_floor(run: _Run, *, has_gaps: bool) -> list[Finding]:
    """Hold the share that passes against the least that is asked for, by its one-sided bounds."""
    floor, share = run.gate.min_pass, series_of(run.candidate, PASSED)
    if floor is None or share is None:
        if run.baseline or run.gate.critical or share is None:
            return []
        return [("inconclusive", "There is no baseline, and no `min_pass`: nothing says what would be good enough.")]
    values = share.whole
    low, high = lower_bound(values, run.alpha, least=0.0), upper_bound(values, run.alpha, most=1.0)
    said = f"{percent(values.mean)} of {values.cases:,} cases passed (between {percent(low)} and {percent(high)});"
    said += f" {percent(floor)} must."
    if high < floor:
        return [("inconclusive" if has_gaps else "regression", said)]
    if low >= floor or values.mean >= 1 <= floor:
        return [("pass", said)]
    return [("inconclusive", f"{said} So few cases cannot show it.")]


def _concluded(run: _Run, findings: Sequence[Finding]) -> tuple[Result, tuple[str, ...]]:
    """Return the severest of all findings, and all sentences, the severest first."""
    ordered = sorted(findings, key=lambda finding: _SEVERITY.index(finding[0]))
    said = tuple(sentence for _, sentence in ordered)
    result: Result = ordered[0][0] if ordered else "unmeasured"
    if not run.candidate:
        return "unmeasured", ("Nothing was measured.", *said)
    if result == "inconclusive" and run.gate.in_doubt == "pass":
        return "pass", ("It cannot be told, and the gate lets it pass in doubt.", *said)
    return result, said
