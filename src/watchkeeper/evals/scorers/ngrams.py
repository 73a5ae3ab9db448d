"""Figures of how far two texts are made of the same words: ROUGE, BLEU, GLEU, METEOR.

Texts are sequences of words. All figures are between 0 and 1.
"""

import math
import re
from collections import Counter, deque
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

from rapidfuzz.distance import LCSseq

ORDERS = 4
"""Lengths of word sequences that BLEU and GLEU count: 1 to 4."""

_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff]+")
"""Scripts without blanks are counted by the letter."""

Words = Sequence[str]


class Overlap(NamedTuple):
    """What two texts share."""

    precision: float
    """Share of the answer."""
    recall: float
    """Share of the reference."""

    @property
    def f1(self) -> float:
        """Harmonic mean of the two."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


def words_of(text: str) -> list[str]:
    """Return the words of a text, in small letters, without punctuation."""
    return _WORD.findall(text.casefold())


def rouge_n(answer: Words, reference: Words, order: int) -> Overlap:
    """ROUGE-N: word sequences of one length that both have, each as often as both have it (Lin 2004, 2)."""
    mine, theirs = _counted(answer, order), _counted(reference, order)
    return _overlap((mine & theirs).total(), mine.total(), theirs.total())


def rouge_l(answer: Words, reference: Words) -> Overlap:
    """ROUGE-L: the longest sequence of words that stands in both in the same order (Lin 2004, 3.1)."""
    return _overlap(LCSseq.similarity(answer, reference), len(answer), len(reference))


def bleu(answer: Words, references: Sequence[Words]) -> float:
    """BLEU of one sentence: geometric mean of the precisions of orders 1 to 4, less for brevity (Papineni et al. 2002).

    The k-th order without a match counts as half, a quarter, ... of one (Chen and Cherry 2014, smoothing 3). Orders
    longer than the answer are left out, so that a short answer that is right has 1; without one common word it is 0.
    """
    logs: list[float] = []
    misses = 0
    for order in range(1, ORDERS + 1):
        mine, most = _counted(answer, order), Counter[tuple[str, ...]]()
        for reference in references:
            most |= _counted(reference, order)
        if not mine:
            break
        matches = float((mine & most).total())
        if not matches:
            if order == 1:
                return 0.0
            misses += 1
            matches = 0.5**misses
        logs.append(math.log(matches / mine.total()))
    if not logs:
        return 0.0
    nearest = min((len(reference) for reference in references), key=lambda length: (abs(length - len(answer)), length))
    brevity = min(0.0, 1 - nearest / len(answer))
    return math.exp(brevity + sum(logs) / len(logs))


def gleu(answer: Words, reference: Words) -> float:
    """GLEU: the smaller of precision and recall over word sequences of 1 to 4 together (Wu et al. 2016, 5.2)."""
    matches = mine_total = theirs_total = 0
    for order in range(1, ORDERS + 1):
        mine, theirs = _counted(answer, order), _counted(reference, order)
        matches += (mine & theirs).total()
        mine_total += mine.total()
        theirs_total += theirs.total()
    longest = max(mine_total, theirs_total)
    return matches / longest if longest else 0.0


def meteor(answer: Words, reference: Words, stem: Callable[[str], str]) -> float:
    """METEOR by equal words, then equal stems, without synonyms (Banerjee and Lavie 2005, 2.2).

    F of precision and recall weighted 1 to 9, less half the cube of chunks by matches; equal words in equal order have
    1. Words are paired from the left, each with the word after the one that was paired last where it can be, else with
    the first that is free, which may give more chunks than the best pairing would.
    """
    pairs = _paired(answer, reference, stem)
    if not pairs:
        return 0.0
    precision, recall = len(pairs) / len(answer), len(pairs) / len(reference)
    mean = 10 * precision * recall / (recall + 9 * precision)
    chunks = 1 + sum(later != (one[0] + 1, one[1] + 1) for one, later in pairwise(pairs))
    is_equal = chunks == 1 and len(pairs) == len(answer) == len(reference)
    penalty = 0.0 if is_equal else 0.5 * (chunks / len(pairs)) ** 3
    return mean * (1 - penalty)


def _paired(answer: Words, reference: Words, stem: Callable[[str], str]) -> list[tuple[int, int]]:
    """Pair places of the answer with places of the reference, in the answer's order."""
    pairs: dict[int, int] = {}
    free = set(range(len(reference)))
    for form in (str, stem):
        theirs = [form(word) for word in reference]
        places: dict[str, deque[int]] = {}
        for place in sorted(free):
            places.setdefault(theirs[place], deque()).append(place)
        for at, word in enumerate(answer):
            if at in pairs:
                continue
            follows = pairs.get(at - 1, -2) + 1
            if follows not in free or theirs[follows] != form(word):
                waiting = places.get(form(word), deque())
                while waiting and waiting[0] not in free:
                    waiting.popleft()
                if not waiting:
                    continue
                follows = waiting.popleft()
            pairs[at] = follows
            free.discard(follows)
    return sorted(pairs.items())


def _counted(words: Words, order: int) -> Counter[tuple[str, ...]]:
    return Counter(zip(*(words[start:] for start in range(order)), strict=False))


def _overlap(matches: int, mine: int, theirs: int) -> Overlap:
    return Overlap(matches / mine if mine else 0.0, matches / theirs if theirs else 0.0)
