"""What a measurement gives: a figure beside its target, with the raw samples it came from."""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How long and how large to measure."""

    is_quick: bool
    """Sanity runs: the figures mean little, the code runs through."""
    scratch: Path
    """A folder for data that is deleted afterwards."""

    def pick(self, full: int, quick: int) -> int:
        """Choose an amount of work."""
        return quick if self.is_quick else full


@dataclass(frozen=True, slots=True)
class Target:
    """What a figure must reach."""

    kind: Literal["at least", "below"]
    limit: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One row of the table."""

    name: str
    value: float
    unit: str
    target: Target | None = None
    """None for what is shown for comparison only."""
    note: str = ""
    """Conditions that a reader must know to judge the value."""
    samples: Mapping[str, Sequence[float]] = field(default_factory=dict[str, Sequence[float]])
    """What the value was computed from, by name."""

    @property
    def ratio(self) -> float | None:
        """Value by target: above 1 is good for `at least`, under 1 for `below`."""
        return self.value / self.target.limit if self.target and self.target.limit else None

    @property
    def verdict(self) -> Literal["pass", "miss", ""]:
        """Whether the target is reached."""
        match self.target:
            case None:
                return ""
            case Target("at least", limit):
                return "pass" if self.value >= limit else "miss"
            case Target(_, limit):
                return "pass" if self.value < limit else "miss"

    def as_row(self) -> tuple[str, str, str, str, str]:
        """Write the row: figure, target, measured, ratio, verdict."""
        target = f"{self.target.kind} {_plain(self.target.limit)} {self.unit}" if self.target else ""
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}"
        return self.name, target.strip(), f"{_plain(self.value)} {self.unit}".strip(), ratio, self.verdict

    def as_document(self) -> dict[str, Any]:
        """Write all of it as JSON."""
        return {**asdict(self), "ratio": self.ratio, "verdict": self.verdict}


Measure = Callable[[Settings], list[Figure]]


def percentile(samples: Sequence[float], share: float) -> float:
    """Return the smallest sample that at least this share of all samples do not exceed; NaN of none."""
    if not samples:
        return math.nan
    ordered = sorted(samples)
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)]


def median(samples: Sequence[float]) -> float:
    """Return the median."""
    return statistics.median(samples)


def _plain(value: float) -> str:
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"
