"""A run's report: what every format of it is made of."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from msgspec import Struct

from watchkeeper.core.money import CostStatus
from watchkeeper.evals.decision import Decision
from watchkeeper.evals.outcome import Outcome, Status
from watchkeeper.evals.run import ArmHead, RunHead
from watchkeeper.evals.suite import Case

Standing = Literal["failed", "unmeasured", "flaky", "passed"]
"""How a case stands over its repeats. failed: some failed and none passed. flaky: some passed, some failed. passed: all
did. unmeasured: none failed, and at least one was not measured."""

STANDINGS: tuple[Standing, ...] = ("failed", "unmeasured", "flaky", "passed")
"""In the order in which reports show them."""


@dataclass(slots=True)
class Tally:
    """How the repeats of one case under one arm came out."""

    passed: int = 0
    failed: int = 0
    unmeasured: int = 0

    def add(self, status: Status) -> None:
        """Count one more."""
        match status:
            case "passed":
                self.passed += 1
            case "failed":
                self.failed += 1
            case "unmeasured":
                self.unmeasured += 1

    @property
    def standing(self) -> Standing:
        """Return how the case stands."""
        if self.failed:
            return "flaky" if self.passed else "failed"
        return "unmeasured" if self.unmeasured or not self.passed else "passed"

    @property
    def repeats(self) -> int:
        """Return how many outcomes there are."""
        return self.passed + self.failed + self.unmeasured


class Counts(Struct, frozen=True, kw_only=True):
    """How many cases stand how."""

    failed: int = 0
    unmeasured: int = 0
    flaky: int = 0
    passed: int = 0

    @property
    def total(self) -> int:
        """Return how many there are."""
        return self.failed + self.unmeasured + self.flaky + self.passed


class ScorerFigures(Struct, frozen=True, kw_only=True):
    """What one scorer said of the answers of one arm."""

    scorer: str
    """Its title."""
    passed: int
    failed: int
    unmeasured: int
    score: float | None
    """Mean of its marks that are measured, between 0 and 1; None where none is."""


class ArmFigures(Struct, frozen=True, kw_only=True):
    """One arm, over all its cases and repeats."""

    head: ArmHead
    cases: Counts
    outcomes: int
    reused: int
    """Answers that were taken from an earlier run."""
    scorers: tuple[ScorerFigures, ...]
    cost_nusd: int | None
    """Of all answers that were asked for; None where one has no price."""
    priced_nusd: int
    """Of those that have one."""
    cost_status: CostStatus
    """The weakest of them; `unpriced` where one has no price."""
    unpriced: int
    """Answers asked for in this run whose price nobody knows."""
    latency_p50_ms: float | None
    latency_p95_ms: float | None
    input_tokens: int | None
    """Of all answers; None where one was not counted."""
    output_tokens: int | None
    models: tuple[str, ...]
    """As providers reported them, each with its fingerprint."""


class ArmRow(Struct, frozen=True, kw_only=True):
    """One case under one arm."""

    arm: str
    standing: Standing
    tally: Tally
    shown: Outcome
    """The first that failed, else the first that was not measured, else the first; texts in it may be cut."""


class Row(Struct, frozen=True, kw_only=True):
    """One case beside itself under the other arm."""

    case: str
    standing: Standing
    """Under the first arm that was asked."""
    is_new: bool
    """Whether it stands worse than under the baseline, where it passed."""
    is_breach: bool
    """Whether it fails a scorer that no case may fail."""
    arms: tuple[ArmRow, ...]
    """In the order of the run's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that there is to tell of a run. Outcomes stay where they are, and are read again by each writer."""

    head: RunHead
    decision: Decision | None
    """None for a run without a gate or one that has not ended."""
    cases: Mapping[str, Case]
    outcomes: Callable[[], Iterable[Outcome]]
    """Give every outcome, each time the same ones."""
    counts: Counts
    """Of the first arm, which is the candidate."""
    arms: tuple[ArmFigures, ...]
    tallies: Mapping[str, Mapping[str, Tally]]
    """By arm and case."""
    rows: tuple[Row, ...]
    """Failed ones first, among them those that passed under the baseline; then unmeasured, flaky, passed."""
    left_out: Counts
    """Cases beyond those in `rows`."""

    @property
    def duration_ms(self) -> int | None:
        """Return how long the run took; None while it runs."""
        return None if self.head.ended_ms is None else self.head.ended_ms - self.head.started_ms
