"""What a run is held to have shown: its figures, the comparison with a baseline, and what follows from it."""

from typing import Literal

from msgspec import Struct

Verdict = Literal["better", "not worse", "worse", "cannot tell"]
"""better: above the baseline beyond doubt. not worse: by less than the margin, beyond doubt. worse: below the baseline
beyond doubt, and perhaps by more than the margin. They are looked for in this order, so that what is surely lower, and
surely by less than the margin, is not worse, with a note. Latency and cost are worse from the margin on."""

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
    """By metric: `passed` (0 or 1), `score`, titles of scorers, `latency_ms`, `cost_nusd`; None: unmeasured. What was
    not asked of the case is not there."""
    failed: tuple[str, ...] = ()
    """Titles of scorers that the answer did not pass."""


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
    """One metric under two arms. Shares and scores are between 0 and 1; differences are candidate less baseline.

    Of latency and cost (`is_relative`), both arms have their geometric mean over cases, in ms or nUSD; the difference,
    its bounds and the margin are shares of the baseline, and more is worse.
    """

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
    """The smallest drop that a run like this one finds in four of five runs; None where it cannot find any."""
    cases_needed: int | None = None
    """How many cases it would take to tell, if the difference is what it seems to be; None where it was told."""
    labels: int = 0
    """So many answers labelled by people have corrected it; 0: the judge's marks as they are."""
    corrected_p: float | None = None
    """`p_worse`, corrected for the number of metrics that were looked at; it decides whether the verdict is `worse`."""
    is_relative: bool = False
    note: str = ""
    """What else a reader must know, in whole sentences."""


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
    if_failed: float | None = None
    """The difference in the share that passes if all that the candidate misses had failed, and all that the baseline
    misses had passed."""
    if_passed: float | None = None
    """The other way round."""


class Breach(Struct, frozen=True, kw_only=True):
    """A case that fails a critical scorer."""

    case: str
    scorer: str
    failed: int
    """Of so many repeats."""
    repeats: int

    @property
    def is_confirmed(self) -> bool:
        """Tell whether it counts: it failed twice, or was asked once. Once out of several must be asked again."""
        return self.failed > 1 or self.repeats == 1


class Flip(Struct, frozen=True, kw_only=True):
    """A case that used to pass and now fails, over the repeats of both arms."""

    case: str
    passed: int
    """Under the candidate, of `repeats`."""
    repeats: int
    baseline_passed: int
    baseline_repeats: int
    p: float
    """Probability of this or more, if nothing had changed; of this case alone."""


class Outlook(Struct, frozen=True, kw_only=True):
    """What a run will be able to show."""

    cases: int
    clusters: int
    repeats: int
    detectable: float | None
    """The smallest drop that it finds in four of five runs; None where it cannot find any."""
    cases_needed: int | None
    """To show that nothing is worse by the margin, where nothing has changed; None without a margin."""
    variance: float
    """That it rests on: of one case's difference."""
    is_assumed: bool
    """Whether nothing was known of the suite, and the variance is a guess."""
    sentence: str


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
    """Of the primary metrics, in the gate's order, then of latency and cost where the gate has a margin for them; they
    decide."""
    further: tuple[Comparison, ...] = ()
    """Of other scorers, latency and cost; corrected for their number, and for information."""
    slices: tuple[tuple[str, Comparison], ...] = ()
    """By tag, the worst first; corrected for their number, and for information."""
    breaches: tuple[Breach, ...] = ()
    missing: Missing | None = None
    flaky: tuple[str, ...] = ()
    """Cases that pass in some repeats and fail in others, under the candidate."""
    flips: tuple[Flip, ...] = ()
    """Cases that nearly always passed and now nearly never do; a reason to look, not to block."""
    passes_all: float | None = None
    """Mean probability that a case passes in all repeats; None where there is one."""
    passes_once: float | None = None
    """That it passes in at least one."""

    @property
    def exit_code(self) -> int:
        """Return the exit code of a command that gates on it."""
        return EXIT_CODES[self.result]
