"""Topics: clusters of texts, found in one half of the reference and counted in the other half and in the window.

What is counted was not used to find them: clusters fit the texts they were made from, and others never as well.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from watchkeeper.evals.drift.comparing import Difference, categories
from watchkeeper.evals.drift.seen import Text

TOPICS_MAX = 8
TEXTS_PER_TOPIC = 25
"""Of the half in which topics are found."""
TEXTS_LEAST = 100
"""In a window and in its reference, fewer of which have no topics."""
STEPS_MAX = 30
_SEED = 20_250_101

Vectors = NDArray[np.float32]
Embed = Callable[[Sequence[str]], Vectors]
"""Gives a vector of length 1 for each text, in rows."""


def topics(before: Sequence[Text], after: Sequence[Text], embed: Embed) -> Difference | None:
    """Compare what two samples of texts are about; None where there are too few. Topics are numbered by size."""
    if min(len(before), len(after)) < TEXTS_LEAST:
        return None
    vectors = embed([one.text for one in before])
    found, counted = vectors[::2], vectors[1::2]
    count = min(TOPICS_MAX, len(found) // TEXTS_PER_TOPIC)
    if count < 2:
        return None
    centres = _clusters(found.astype(np.float64), count)
    usual, now = _nearest(counted, centres), _nearest(embed([one.text for one in after]), centres)
    order = np.argsort(-np.bincount(usual, minlength=count), kind="stable")
    names = {int(place): f"topic {number}" for number, place in enumerate(order, start=1)}
    examples = {}
    for place, name in names.items():
        members = np.flatnonzero(usual == place)
        if len(members):
            nearest = members[int(np.argmax(counted[members] @ centres[place]))]
            examples[name] = before[2 * int(nearest) + 1].call
    return categories([names[int(one)] for one in usual], [names[int(one)] for one in now], examples=examples)


def _clusters(vectors: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Return centres by Lloyd's algorithm, begun far from each other (D. Arthur, S. Vassilvitskii, k-means++, 2007)."""
    dice = np.random.default_rng(_SEED)
    chosen = [int(dice.integers(len(vectors)))]
    for _ in range(count - 1):
        nearest = ((vectors[:, None, :] - vectors[None, chosen, :]) ** 2).sum(axis=2).min(axis=1)
        total = float(nearest.sum())
        chosen.append(int(dice.choice(len(vectors), p=nearest / total)) if total else chosen[0])
    centres = vectors[chosen].copy()
    for _ in range(STEPS_MAX):
        places = _nearest(vectors, centres)
        moved = centres.copy()
        for place in range(count):
            members = vectors[places == place]
            if len(members):
                moved[place] = members.mean(axis=0)
        if np.allclose(moved, centres):
            break
        centres = moved
    return centres


def _nearest(vectors: Vectors | NDArray[np.float64], centres: NDArray[np.float64]) -> NDArray[np.intp]:
    distances = (centres**2).sum(axis=1)[None, :] - 2 * vectors.astype(np.float64) @ centres.T
    nearest: NDArray[np.intp] = distances.argmin(axis=1)
    return nearest
