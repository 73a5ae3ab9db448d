"""What a run is held to have shown: its figures, the comparison with a baseline, and what follows from it."""

from typing import Literal

from msgspec import Struct

Verdict = Literal["better", "not worse", "worse", "cannot tell"]
"""better: above the baseline beyond doubt. not worse: by less than the margin, beyond doubt. worse: below the baseline
beyond doubt, and perhaps by more than the margin."""

Result = Literal["pass", "regression", "inconclusive", "unmeasured"]

EXIT_CODES: dict[Result, int] = {"pass": 0, "regression": 3, "inconclusive": 4, "unmeasured": 5}


class Point(Struct, frozen=True, kw_only=True):
    """What was measured of one case in one repeat, under one arm."""

    case: str
    cluster: str = ""
    """Empty for one of its own."""
    weight: float = 1.0
    tags: tuple[str, ...] = ()
    repeat: int = 0
    values: dict[str, float | None] = {}
    """By metric: `passed` (0 or 1), `score`, titles of scorers, `latency_ms`, `cost_nusd`; None: unmeasured."""


class Label(Struct, frozen=True, kw_only=True):
    """What a person said of an answer that a judge has marked."""

    arm: str
    case: str
    repeat: int
    scorer: str
    """Title of the judged scorer."""
    value: float
    """Between 0 and 1."""
    probability: float = 1.0
    """With which it had been drawn for labelling; above 0."""
    by: str = ""


class Comparison(Struct, frozen=True, kw_only=True):
    """One metric under two arms. Shares and scores are between 0 and 1; differences are candidate less baseline."""

    metric: str
    candidate: float
    baseline: float
    difference: float
    lower: float
    """One-sided bound of the difference at the gate's alpha, as is the upper one."""
    upper: float
    margin: float
    p_worse: float
    """Probability of a difference as low as this one, or lower, if there is none."""
    p_better: float
    verdict: Verdict
    method: str
    """How the bounds were found, in words."""
    cases: int
    clusters: int
    detectable: float | None = None
    """The smallest drop that a run like this one finds in four of five runs."""
    cases_needed: int | None = None
    """How many cases it would take to tell, if the difference is what it seems to be; None where it was told."""
    labels: int = 0
    """So many answers labelled by people have corrected it; 0: the judge's marks as they are."""
    note: str = ""


class Missing(Struct, frozen=True, kw_only=True):
    """What was not measured."""

    candidate: float
    """Share of cases, as is the baseline's; None without one."""
    allowed: float
    baseline: float | None = None
    p_differs: float | None = None
    """Probability of a difference between the arms like this one, if there is none."""
    reasons: dict[str, int] = {}
    """The commonest, with how often."""


class Breach(Struct, frozen=True, kw_only=True):
    """A case that fails a critical scorer."""

    case: str
    scorer: str
    failed: int
    """Of so many repeats."""
    repeats: int


class Decision(Struct, frozen=True, kw_only=True):
    """What follows from a run."""

    result: Result
    reasons: tuple[str, ...]
    """Why, the weightiest first, in whole sentences with figures."""
    passed: float | None = None
    """Share of the candidate's measured cases that passed, with its two-sided 95 % interval."""
    passed_lower: float | None = None
    passed_upper: float | None = None
    comparisons: tuple[Comparison, ...] = ()
    """Of the primary metrics, in the gate's order; they decide."""
    further: tuple[Comparison, ...] = ()
    """Of other scorers, latency and cost; corrected for their number."""
    slices: tuple[tuple[str, Comparison], ...] = ()
    """By tag, the worst first; corrected for their number, and for information."""
    breaches: tuple[Breach, ...] = ()
    missing: Missing | None = None
    flaky: tuple[str, ...] = ()
    """Cases that pass in some repeats and fail in others, under the candidate."""

    @property
    def exit_code(self) -> int:
        """Return the exit code of a command that gates on it."""
        return EXIT_CODES[self.result]
