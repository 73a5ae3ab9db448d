"""Assertions that compare words: ROUGE-1, BLEU, GLEU and METEOR, each by the formula that promptfoo computes."""

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise

from watchkeeper.evals.promptfoo.assertions.stems import stem
from watchkeeper.evals.promptfoo.assertions.subject import Finding, Subject, Undecided, measured, require, texts_of
from watchkeeper.evals.promptfoo.assertions.tokens import rouge_tokens
from watchkeeper.evals.promptfoo.values import number, trim, words

ORDERS = 4
"""Of n-grams: 1 to 4 words."""
SMOOTHED = 1e-7
"""Stands for a precision of 0 in BLEU, whose logarithm there is none of."""
ROUGE_THRESHOLD = 0.75
THRESHOLD = 0.5
METEOR_ALPHA, METEOR_BETA, METEOR_GAMMA = 0.9, 3.0, 0.5

_Gram = tuple[str, ...]


def _grams(tokens: Sequence[str], order: int) -> Counter[_Gram]:
    return Counter(tuple(tokens[at : at + order]) for at in range(len(tokens) - order + 1))


def _common(left: Counter[_Gram], right: Counter[_Gram]) -> int:
    return (left & right).total()


def rouge(subject: Subject) -> Finding:
    """ROUGE-1 (C.-Y. Lin, 2004): the F1 of single words that both have, counted as often as both have them."""
    require(isinstance(subject.value, str), "`rouge-n` takes a text as its value")
    pair = (subject.text, subject.value)
    if not all(map(trim, pair)) and subject.is_old:
        raise Undecided("ROUGE takes no empty text")
    old, new = (_rouge_words(subject, each) for each in pair)
    candidate, reference = _grams(old, 1), _grams(new, 1)
    common = _common(candidate, reference)
    score = 2 * common / (len(old) + len(new)) if common else 0.0
    return measured(subject, score, ROUGE_THRESHOLD, "ROUGE")


def _rouge_words(subject: Subject, value: str) -> list[str]:
    return rouge_tokens(value, by_sentence=True) if subject.is_old else rouge_tokens(value.lower())


def bleu(subject: Subject) -> Finding:
    """BLEU (Papineni et al., 2002) of one sentence, 1 to 4 words with equal weight, against the best reference."""
    references = _references(subject)
    score = _old_bleu(subject.text, references) if subject.is_old else _bleu(subject.text, references)
    return measured(subject, score, THRESHOLD, "BLEU")


def _references(subject: Subject) -> list[str]:
    references = texts_of(subject)
    require(references and (subject.text or not subject.is_old), f"`{subject.base}`: there is nothing to compare")
    return references


def _split(value: str) -> list[str]:
    return words(trim(value.lower()))


def _clipped(candidate: Sequence[str], references: Sequence[Sequence[str]], order: int) -> tuple[int, int]:
    """How many n-grams the best reference has too, and of how many."""
    grams = _grams(candidate, order)
    return max(_common(grams, _grams(each, order)) for each in references), grams.total()


def _old_bleu(text: str, references: Sequence[str]) -> float:
    """As promptfoo 0.118 computes it, whose penalty for brevity has its fraction upside down."""
    candidate = _split(text)
    compared = [_split(each) for each in references]
    nearest = min((len(each) for each in compared), key=lambda length: abs(length - len(candidate)))
    found = [_clipped(candidate, compared, order) for order in range(1, ORDERS + 1)]
    logs = sum(math.log(common / total if common else SMOOTHED) for common, total in found) / ORDERS
    return (1.0 if len(candidate) > nearest else math.exp(1 - len(candidate) / nearest)) * math.exp(logs)


def _bleu(text: str, references: Sequence[str]) -> float:
    if not trim(text):
        return 0.0
    candidate = _split(text)
    compared = [_split(each) for each in references]
    nearest = min((len(each) for each in compared), key=lambda length: (abs(length - len(candidate)), length))
    found = [_clipped(candidate, compared, order) for order in range(1, min(ORDERS, len(candidate)) + 1)]
    logs = sum(math.log(common / total if common else SMOOTHED) for common, total in found) / len(found)
    return (1.0 if len(candidate) > nearest else math.exp(1 - nearest / len(candidate))) * math.exp(logs)


def gleu(subject: Subject) -> Finding:
    """GLEU (Wu et al., 2016): the lesser of precision and recall over 1 to 4 words, against the best reference."""
    candidate = _without_stops(subject.text)
    compared = [_without_stops(each) for each in _references(subject)]
    if not subject.is_old and not any(candidate):
        return measured(subject, 0.0, THRESHOLD, "GLEU")
    return measured(subject, max(_gleu(candidate, each) for each in compared), THRESHOLD, "GLEU")


def _without_stops(value: str) -> list[str]:
    return [word.rstrip(".") for word in _split(value)]


def _gleu(candidate: Sequence[str], reference: Sequence[str]) -> float:
    if candidate == reference:
        return 1.0
    pairs = [(_grams(candidate, order), _grams(reference, order)) for order in range(1, ORDERS + 1)]
    common = sum(_common(*pair) for pair in pairs)
    most = max(sum(left.total() for left, _ in pairs), sum(right.total() for _, right in pairs))
    return common / most


def meteor(subject: Subject) -> Finding:
    """METEOR (Banerjee and Lavie, 2005): words that are equal, then words of one stem, less a penalty for disorder.

    promptfoo's third stage, synonyms of WordNet, is left out: there is no WordNet here.
    """
    references = texts_of(subject)
    require(references and subject.text, "`meteor`: there is nothing to compare")
    alpha, beta, gamma = (
        number(subject.assertion.get(name, usual))
        for name, usual in (("alpha", METEOR_ALPHA), ("beta", METEOR_BETA), ("gamma", METEOR_GAMMA))
    )
    output = _meteor_words(subject.text)
    score = max(_meteor(_meteor_words(each), output, alpha, beta, gamma) for each in references)
    threshold = subject.threshold(THRESHOLD)
    found = measured(subject, score, THRESHOLD, "METEOR")
    return (
        found
        if not subject.is_old
        else Finding(
            passed=score < threshold if subject.negated else score >= threshold, score=found.score, reason=found.reason
        )
    )


def _meteor_words(value: str) -> list[str]:
    return [re.sub(r"\.+$", "", word).lower() for word in words(value)]


def _meteor(reference: Sequence[str], output: Sequence[str], alpha: float, beta: float, gamma: float) -> float:
    left, right = list(enumerate(output)), list(enumerate(reference))
    matches: list[tuple[int, int]] = []
    for form in (_itself, stem):
        found, left, right = _matched(left, right, form)
        matches += found
    if not matches:
        return 0.0
    matches.sort()
    precision, recall = len(matches) / len(output), len(matches) / len(reference)
    mean = precision * recall / (alpha * precision + (1 - alpha) * recall)
    chunks = 1 + sum(after != (before[0] + 1, before[1] + 1) for before, after in pairwise(matches))
    return float((1 - gamma * (chunks / len(matches)) ** beta) * mean)


def _itself(word: str) -> str:
    return word


_Placed = list[tuple[int, str]]


def _matched(
    left: _Placed, right: _Placed, form: Callable[[str], str]
) -> tuple[list[tuple[int, int]], _Placed, _Placed]:
    """Pair equal words from the end, each with the last one that is free; return the pairs and what is left over."""
    free: dict[str, list[int]] = {}
    for at, (_, word) in enumerate(right):
        free.setdefault(form(word), []).append(at)
    pairs: list[tuple[int, int]] = []
    taken: set[int] = set()
    over: _Placed = []
    for place, word in reversed(left):
        if places := free.get(form(word)):
            at = places.pop()
            taken.add(at)
            pairs.append((place, right[at][0]))
        else:
            over.append((place, word))
    return pairs, over[::-1], [each for at, each in enumerate(right) if at not in taken]
