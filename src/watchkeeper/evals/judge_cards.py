"""What is known of a judge, and of those who label, in words; `evals.judge_checks` finds it out.

A card belongs to a release of a judge: another one has none until people have labelled answers that it marked.
"""

from dataclasses import dataclass
from typing import Literal

from watchkeeper.evals.labelling import GOOD

Fitness = Literal["eligible", "advisory", "unlabelled"]
"""eligible: a gate may go by its marks. advisory: they are for reading. unlabelled: nobody knows their worth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """An answer that a judge has marked and people have labelled."""

    arm: str
    has_passed: bool
    """What the judge made of it."""
    value: float
    """What people came to, between 0 and 1."""
    probability: float = 1.0
    """With which it was drawn."""
    is_torn: bool | None = None
    """As in `evals.labelling.Answered`."""

    @property
    def is_good(self) -> bool:
        """Tell whether people found it good."""
        return self.value >= GOOD


@dataclass(frozen=True, slots=True)
class Figure:
    """A share or a coefficient with its two-sided 95 % interval; None where the labels do not tell it."""

    value: float | None
    lower: float
    upper: float


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeCard:
    """What a release of a judge is worth."""

    judge: str
    fitness: Fitness
    reasons: tuple[str, ...]
    """Why it is not eligible, in whole sentences."""
    labels: int
    good: int
    """Answers that people found good."""
    agreement: Figure
    """Share of answers of which judge and people think the same."""
    kappa: Figure
    """Cohen's."""
    ac1: float | None
    """Gwet's: it holds where nearly all answers are good, or nearly all bad."""
    sensitivity: Figure
    """Share of the good answers that it passes."""
    specificity: Figure
    """Share of the bad answers that it fails."""
    arms_differ_p: float | None
    """Probability of errors so differently shared between two arms, if it errs alike under both; None for one arm."""
    labels_saved: float | None
    """Share of the labels that its marks make up for where they are corrected: squared correlation with labels."""
    torn: Figure
    """Of a judge of pairs, the share in which the order decided."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Labeller:
    """How somebody labels."""

    name: str
    labels: int
    gold_right: int
    """Of the gold items, those of which they said what is right."""
    gold: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleAgreement:
    """How far people agree with each other: no judge can be expected to agree with them further."""

    alpha: float | None
    """Krippendorff's, ordinal; None where nobody shares an answer, or all said the same throughout."""
    shared: int
    """Answers that several people labelled."""
    labellers: tuple[Labeller, ...]
    """Who labelled most first."""
