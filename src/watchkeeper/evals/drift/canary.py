"""Whether a model is still the one it was, by what it answers to fixed prompts at temperature 0.

Temperature 0 is not deterministic where requests are batched with others, so that no single answer proves anything:
what is compared are distributions. Per prompt, the energy distance between the round's answers and the reference's,
with one minus the Hamming kernel of strings as distance between two answers (after Gao, Liang, Guestrin, "Model
Equality Testing: Which Model Is This API Serving?", ICLR 2025, arXiv:2410.20247); over all prompts its sum, against its
distribution when answers change places within their prompt. Where providers give log probabilities, the same with the
mean of an answer's tokens, which sees smaller changes (after Chauvin et al., "Log Probability Tracking",
arXiv:2512.03816).

Answers of one round may resemble each other more than those of different rounds, by the batch that they ran in; so a
round is beyond chance only if it is also further from the reference than every round of the reference is from the
others.
"""

from collections import Counter
from collections.abc import Sequence
from functools import cache
from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import NDArray

from watchkeeper.evals.drift.comparing import Numbers
from watchkeeper.evals.drift.rounds import Moved, Round, Said, Verdict

ROUNDS = 4
"""Of a reference: the first ones. More would tell little more, and leave a model unwatched for longer."""
LEVEL = 1e-4
"""For each of two rounds in a row."""
FLOOR = 0.05
"""Of the distance between rounds: less is not told, however certain."""
PERMUTATIONS = 50_000
PERMUTATIONS_ROUGH = 1_000
SPLITS_MAX = 4_000
"""Of a prompt's answers into old and new ones; of more, so many are drawn."""
LETTERS = 200
"""Of an answer that are compared."""
ANSWERED_LEAST = 0.8
"""Share of prompts that must have answers."""
MOVED_SHOWN = 5
TOKENS_SHOWN = 3
_SEED = 20_251_204


def judge(reference: Sequence[Round], now: Round, before: Verdict | None) -> Verdict:
    """Say whether a round is like the rounds of the reference.

    Args:
        reference: Of the same prompts.
        now: The round that is judged, not in the reference.
        before: What the round before came to; None where there was none.
    """
    known = list(reference)[:ROUNDS]
    answers = _by_prompt([now])
    asked = len({one.prompt for one in now.answers})
    if len(answers) < ANSWERED_LEAST * asked or not answers:
        failed = next((one.error for one in now.answers if one.error), "nothing was answered")
        reason = f"{asked - len(answers)} of {asked} prompts have no answer ({failed}); the model was not judged."
        return Verdict(status="unmeasured", reason=reason)
    if len(known) < ROUNDS:
        reason = f"This is round {len(known) + 1} of {ROUNDS} from which it is known how the model answers."
        return Verdict(status="learning", reason=reason)
    earlier = _by_prompt(known)
    prompts = [name for name in answers if name in earlier]
    usual = max(_apart(known, place) for place in range(len(known)))
    p, distance = _test([_distances(earlier[name], answers[name]) for name in prompts], at_least=max(FLOOR, usual))
    p_logprobs = _test_logprobs(earlier, answers, prompts)
    agreement, agreement_before = _agreement(earlier, answers, prompts), _agreement(earlier, earlier, prompts)
    is_unlike = p < LEVEL and distance > max(FLOOR, usual)
    is_unlike |= p_logprobs is not None and p_logprobs < LEVEL and distance >= usual
    was_unlike = before is not None and before.status in ("suspected", "changed")
    same = (
        f"{100 * agreement:.0f} % of its answers are the usual ones, where {100 * agreement_before:.0f} % were before"
    )
    figures = (
        f"distance {distance:.2f}, of earlier rounds up to {usual:.2f}; p {'< 0.0001' if p < LEVEL else f'= {p:.2g}'}"
    )
    return Verdict(
        status="same" if not is_unlike else "changed" if was_unlike else "suspected",
        reason=f"{same} ({figures}).",
        p=p,
        p_logprobs=p_logprobs,
        distance=distance,
        usual=usual,
        agreement=agreement,
        agreement_before=agreement_before,
        moved=_moved(earlier, answers, prompts),
        metadata=_metadata(known, now),
    )


def distance_of(one: str, other: str) -> float:
    """Return how far two answers are apart: the share of places, among the first letters, that hold another letter."""
    first, second = one[:LETTERS], other[:LETTERS]
    longer = max(len(first), len(second))
    return 1 - sum(map(str.__eq__, first, second)) / longer if longer else 0.0


def _by_prompt(rounds: Sequence[Round]) -> dict[str, list[Said]]:
    found: dict[str, list[Said]] = {}
    for one in rounds:
        for said in one.answers:
            if not said.error:
                found.setdefault(said.prompt, []).append(said)
    return found


def _distances(old: Sequence[Said], new: Sequence[Said]) -> tuple[Numbers, int]:
    """Return the distances between all answers of a prompt, the new ones last, and how many are new."""
    texts = [one.text.strip() for one in (*old, *new)]
    kinds = {text: place for place, text in enumerate(dict.fromkeys(texts))}
    apart = np.array([[distance_of(one, other) for other in kinds] for one in kinds])
    places = np.array([kinds[text] for text in texts])
    return apart[np.ix_(places, places)], len(new)


def _test(found: Sequence[tuple[Numbers, int]], *, at_least: float = 0.0) -> tuple[float, float]:
    """Return the probability of a sum of distances as large as that observed, and its mean over the prompts.

    Where the mean is not above `at_least`, the probability decides nothing, and is found roughly.
    """
    energies = [_energies(apart, _splits(len(apart), new)) for apart, new in found]
    observed = sum(float(one[0]) for one in energies)
    distance = observed / max(1, len(found))
    draws = PERMUTATIONS if distance > at_least else PERMUTATIONS_ROUGH
    dice = np.random.default_rng(_SEED)
    drawn = np.zeros(draws)
    for one in energies:
        drawn += one[dice.integers(len(one), size=draws)] if one.any() else 0.0
    return (1 + int((drawn >= observed - 1e-9).sum())) / (1 + draws), distance


def _test_logprobs(
    earlier: dict[str, list[Said]], answers: dict[str, list[Said]], prompts: Sequence[str]
) -> float | None:
    """Return the same for log probabilities, each prompt by its own spread; None where most have none."""
    found = []
    for name in prompts:
        given = [one.logprob for one in (*earlier[name], *answers[name])]
        values = np.array([one for one in given if one is not None])
        if len(values) < len(given):
            continue
        apart = np.abs(values[:, None] - values[None, :])
        found.append((apart / (apart.mean() or 1.0), len(answers[name])))
    return _test(found)[0] if len(found) * 2 > len(prompts) else None


def _energies(apart: Numbers, splits: Numbers) -> Numbers:
    """Return the energy distance of each split: twice the mean between its parts, less the means within them."""
    new = splits.sum(axis=1)
    old = splits.shape[1] - new
    crossing = splits @ apart
    within_new = (crossing * splits).sum(axis=1)
    between = crossing.sum(axis=1) - within_new
    within_old = apart.sum() - within_new - 2 * between
    energies: Numbers = 2 * between / (new * old) - within_new / new**2 - within_old / old**2
    return energies


@cache
def _splits(size: int, new: int) -> Numbers:
    """Return ways to choose the new ones among all, one in each row; the first is the true one, the last `new`."""
    true = range(size - new, size)
    if comb(size, new) <= SPLITS_MAX:
        chosen = [tuple(true), *(one for one in combinations(range(size), new) if one != tuple(true))]
    else:
        dice = np.random.default_rng(_SEED)
        chosen = [tuple(true), *(tuple(dice.permutation(size)[:new]) for _ in range(SPLITS_MAX))]
    rows = np.zeros((len(chosen), size))
    for row, places in zip(rows, chosen, strict=True):
        row[list(places)] = 1.0
    return rows


def _apart(rounds: Sequence[Round], place: int) -> float:
    """Return how far one round is from the others."""
    others = _by_prompt([*rounds[:place], *rounds[place + 1 :]])
    own = _by_prompt([rounds[place]])
    found = [_distances(others[name], own[name]) for name in own if name in others]
    energies = [float(_energies(apart, _true_split(len(apart), new))[0]) for apart, new in found]
    return sum(energies) / max(1, len(energies))


def _true_split(size: int, new: int) -> Numbers:
    row: NDArray[np.float64] = np.zeros((1, size))
    row[0, size - new :] = 1.0
    return row


def _modal(answers: Sequence[Said]) -> str:
    return Counter(one.text.strip() for one in answers).most_common(1)[0][0]


def _agreement(earlier: dict[str, list[Said]], answers: dict[str, list[Said]], prompts: Sequence[str]) -> float:
    shares = []
    for name in prompts:
        usual = _modal(earlier[name])
        shares.append(sum(one.text.strip() == usual for one in answers[name]) / len(answers[name]))
    return sum(shares) / max(1, len(shares))


def _moved(earlier: dict[str, list[Said]], answers: dict[str, list[Said]], prompts: Sequence[str]) -> tuple[Moved, ...]:
    found = []
    for name in prompts:
        apart, new = _distances(earlier[name], answers[name])
        energy = float(_energies(apart, _true_split(len(apart), new))[0])
        if energy > FLOOR:
            found.append(Moved(name, _modal(earlier[name]), _modal(answers[name]), energy))
    return tuple(sorted(found, key=lambda one: -one.distance)[:MOVED_SHOWN])


def _metadata(known: Sequence[Round], now: Round) -> tuple[str, ...]:
    """Say what the provider reports that it never did in the reference."""
    before, after = [one for round_ in known for one in round_.answers if not one.error], now.answers
    said = []
    for what, name in (("the model", "model"), ("the system_fingerprint", "fingerprint")):
        usual = {str(getattr(one, name)) for one in before} - {""}
        new = sorted({str(getattr(one, name)) for one in after} - usual - {""})
        if usual and new:
            said.append(f"The provider reports {what} {', '.join(new)}, where it was {', '.join(sorted(usual))}.")
    counted: dict[str, set[int]] = {}
    for one in before:
        if one.input_tokens is not None:
            counted.setdefault(one.prompt, set()).add(one.input_tokens)
    others = {
        one.prompt: one.input_tokens
        for one in after
        if one.input_tokens is not None and one.prompt in counted and one.input_tokens not in counted[one.prompt]
    }
    if others:
        listed = [f"{name} {min(counted[name])} to {tokens}" for name, tokens in list(others.items())[:TOKENS_SHOWN]]
        said.append(f"The same prompts count other numbers of tokens: {', '.join(listed)}.")
    return tuple(said)
