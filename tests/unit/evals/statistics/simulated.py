"""Runs that are made up: what is true of both arms is known, so that it can be counted how often a gate is wrong."""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from watchkeeper.evals.decision import Point, Result
from watchkeeper.evals.gate import decide
from watchkeeper.evals.suite import Gate

Floats = NDArray[np.float64]
IS_SOAK = bool(os.environ.get("WK_SOAK"))
RUNS = 2_000 if IS_SOAK else 60


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What runs look like."""

    cases: int = 200
    passes: float = 0.9
    """Share of answers that pass under the baseline, or mean of a score."""
    drop: float = 0.0
    """By how much the candidate's is lower."""
    certainty: float = 4.0
    """How far cases are easy or hard: 0 for all alike, and answers by chance; many for always or never."""
    repeats: int = 1
    in_clusters: int = 1
    """Cases of one cluster: an arm's luck with it is shared by all of them."""
    is_score: bool = False
    is_weighted: bool = False


def runs(shape: Shape, count: int, seed: int) -> Iterator[tuple[list[Point], list[Point]]]:
    """Make up runs: points of the candidate and of the baseline."""
    dice = np.random.default_rng(seed)
    for _ in range(count):
        chances = _chances(shape, dice)
        weights = dice.choice((0.5, 1.0, 4.0), shape.cases) if shape.is_weighted else np.ones(shape.cases)
        kept = 1 - shape.drop / shape.passes
        yield _points(shape, chances, kept, weights, dice), _points(shape, chances, 1.0, weights, dice)


def results(shape: Shape, gate: Gate, *, count: int = RUNS, seed: int = 2026) -> Counter[Result]:
    """Count what runs come to."""
    return Counter(
        decide(candidate, baseline, gate, repeats=shape.repeats).result
        for candidate, baseline in runs(shape, count, seed)
    )


def points(values: dict[str, list[float | None]], **more: object) -> list[Point]:
    """Return a point for each place: `{"passed": [1, 0, None]}` are three cases."""
    length = max(len(row) for row in values.values())
    return [
        Point(case=f"case-{place}", values={name: row[place] for name, row in values.items()}, **more)  # type: ignore[arg-type]
        for place in range(length)
    ]


def _chances(shape: Shape, dice: np.random.Generator) -> Floats:
    """Each case's own chance to pass: a Beta distribution whose mean is `passes`."""
    if not shape.certainty:
        return np.full(shape.cases, shape.passes)
    spread = 1 / shape.certainty
    return dice.beta(shape.passes * spread, (1 - shape.passes) * spread, shape.cases)


def _points(shape: Shape, chances: Floats, kept: float, weights: Floats, dice: np.random.Generator) -> list[Point]:
    places = np.arange(shape.cases) // shape.in_clusters
    luck = dice.random(places.max() + 1)[places] if shape.in_clusters > 1 else None
    rows = []
    for _ in range(shape.repeats):
        own = dice.random(shape.cases)
        # Half of the luck of a case is that of its cluster.
        drawn = own if luck is None else np.where(dice.random(shape.cases) < 0.5, luck, own)
        if shape.is_score:
            rows.append(0.15 + 0.7 * chances + 0.15 * (drawn - 0.5) - (shape.drop if kept < 1 else 0.0))
        else:
            rows.append(((drawn < chances) & (dice.random(shape.cases) < kept)).astype(np.float64))
    metric = "score" if shape.is_score else "passed"
    return [
        Point(
            case=str(place),
            cluster=str(places[place]) if shape.in_clusters > 1 else "",
            weight=float(weights[place]),
            repeat=repeat,
            values={metric: float(value)},
        )
        for repeat, row in enumerate(rows)
        for place, value in enumerate(row)
    ]
