"""Assertions on likeness in meaning, and on classes."""

import math
from collections.abc import Callable, Sequence

from watchkeeper.evals.promptfoo.assertions.asking import grader_of, provider_of
from watchkeeper.evals.promptfoo.assertions.subject import Finding, Subject, Undecided, require, texts_of

EPSILON = 2.220446049250313e-16
THRESHOLD = 0.75

Vector = Sequence[float]


def cosine(left: Vector, right: Vector) -> float:
    """Return the cosine of the angle between two vectors; 0 where one has no length."""
    lengths = math.sqrt(dot(left, left) * dot(right, right))
    return dot(left, right) / lengths if lengths else 0.0


def dot(left: Vector, right: Vector) -> float:
    """Return the scalar product of two vectors."""
    return math.fsum(float(a) * float(b) for a, b in zip(left, right, strict=True))


def _nearness(left: Vector, right: Vector) -> float:
    return 1 / (1 + math.dist(left, right))


_METRICS: dict[str, Callable[[Vector, Vector], float]] = {
    "similar": cosine,
    "similar:cosine": cosine,
    "similar:dot": dot,
    "similar:euclidean": _nearness,
}


async def similar(subject: Subject) -> Finding:
    """The likeness to a text reaches the threshold; of several, to one of them. Euclidean is 1 / (1 + distance)."""
    values = texts_of(subject)
    require(values, f"`{subject.base}` takes at least one text")
    vectors = await grader_of(subject).embed([subject.text, *values], provider_of(subject, "embedding"))
    limit = subject.threshold(THRESHOLD)
    found: list[Finding] = []
    for vector in vectors[1:]:
        likeness = _METRICS[subject.base](vectors[0], vector)
        passed = likeness <= limit + EPSILON if subject.negated else likeness >= limit - EPSILON
        score = 1 - likeness if subject.negated else likeness
        found.append(
            Finding(passed=passed, score=score, reason=f"the likeness is {likeness:.4f}; the threshold {limit:g}")
        )
        # One that is like it decides; by the rules of 0.118 negated ones too need to hold only once.
        if passed != (subject.negated and not subject.is_old):
            return found[-1]
    if subject.negated and not subject.is_old:
        return min(found, key=lambda each: each.score)
    return (min if subject.is_old else max)(found, key=lambda each: each.score)


async def unavailable(subject: Subject) -> Finding:
    """What needs a service of promptfoo's or of others that cannot be reached from here."""
    raise Undecided(f"`{subject.base}` needs a service that is not connected here; its result is not known")
