"""A canary notices a model that changes under the same name, and is silent about one that is only noisy."""

import os
from datetime import UTC, datetime

import msgspec
import numpy as np
import pytest

from watchkeeper.evals.drift.canary import ROUNDS, distance_of, judge
from watchkeeper.evals.drift.rounds import PROMPTS, Round, Said, Verdict

AT = datetime(2026, 1, 1, tzinfo=UTC)
WORDS = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa"]
NOISY_ROUNDS = 2_000 if os.environ.get("WK_SOAK") == "1" else 200


class Model:
    """Answers each prompt with its usual answer, and now and then with another of three."""

    def __init__(self, seed: int, *, noise: float = 0.0, batch: float = 0.0) -> None:
        """Make one.

        Args:
            seed: Of its answers.
            noise: Share of answers that are not the usual one.
            batch: Share of prompts, in a round, most of whose answers are another one.
        """
        dice = np.random.default_rng(seed)
        self.answers = {one.name: [" ".join(dice.choice(WORDS, 8)) for _ in range(3)] for one in PROMPTS}
        self._dice, self._noise, self._batch = np.random.default_rng(seed + 1_000), noise, batch

    def round(self, **fields: object) -> Round:
        """Answer every prompt three times."""
        said = []
        for prompt in PROMPTS:
            is_shifted = self._dice.random() < self._batch
            for _ in range(3):
                other = self._dice.random() < self._noise or (is_shifted and self._dice.random() < 0.6)
                text = self.answers[prompt.name][int(self._dice.integers(1, 3)) if other else 0]
                said.append(Said(**({"prompt": prompt.name, "text": text, "model": "m-1"} | fields)))  # type: ignore[arg-type]
        return Round(prompts="set", at=AT, answers=tuple(said))


@pytest.mark.parametrize(("noise", "batch"), [(0.2, 0.3)])
def test_two_hundred_rounds_of_a_noisy_model_that_stays_the_same_raise_nothing(noise: float, batch: float) -> None:
    model = Model(1, noise=noise, batch=batch)
    reference, before = [model.round() for _ in range(ROUNDS)], None
    for _ in range(NOISY_ROUNDS):
        before = judge(reference, model.round(), before)
        assert before.status != "changed", before.reason


@pytest.mark.parametrize("changed", [4, 12])
def test_a_model_that_changes_is_suspected_at_once_and_told_at_the_second_round(changed: int) -> None:
    for seed in range(5):
        model, other = Model(seed, noise=0.1), Model(seed + 50, noise=0.1)
        reference = [model.round() for _ in range(ROUNDS)]
        for name in list(model.answers)[:changed]:
            model.answers[name] = other.answers[name]
        first = judge(reference, model.round(), None)
        second = judge(reference, model.round(), first)
        assert (first.status, second.status) == ("suspected", "changed")
        assert min(changed, 5) <= len(second.moved) <= 5
        assert second.agreement is not None and second.agreement_before is not None
        assert second.agreement < second.agreement_before


def test_a_single_odd_round_is_forgotten() -> None:
    model, other = Model(1), Model(2)
    reference = [model.round() for _ in range(ROUNDS)]
    odd = judge(reference, other.round(), None)
    assert odd.status == "suspected"
    calm = judge(reference, model.round(), odd)
    assert calm.status == "same"
    assert judge(reference, other.round(), calm).status == "suspected"


def test_the_first_rounds_are_learned_from_and_failures_are_not_judged() -> None:
    model = Model(1)
    assert judge([model.round()] * (ROUNDS - 1), Model(2).round(), None).status == "learning"
    reference = [model.round() for _ in range(ROUNDS)]
    failed = judge(reference, model.round(text="", error="HTTP 500"), None)
    assert failed.status == "unmeasured" and "HTTP 500" in failed.reason


def test_what_the_provider_reports_otherwise_is_said_apart_from_the_answers() -> None:
    model = Model(1)
    reference = [model.round(fingerprint="fp_1", input_tokens=14) for _ in range(ROUNDS)]
    found = judge(reference, model.round(model="m-2", fingerprint="fp_2", input_tokens=16), None)
    assert found.status == "same"
    assert found.metadata[0] == "The provider reports the model m-2, where it was m-1."
    assert "system_fingerprint fp_2" in found.metadata[1]
    assert "14 to 16" in found.metadata[2]
    assert judge(reference, model.round(fingerprint="fp_1", input_tokens=14), None).metadata == ()


def test_log_probabilities_show_a_change_that_no_answer_shows() -> None:
    model = Model(1)
    dice = np.random.default_rng(5)

    def round_of(shift: float) -> Round:
        made = model.round()
        answers = [
            Said(prompt=one.prompt, text=one.text, logprob=shift - float(abs(dice.normal(0.5, 0.02))))
            for one in made.answers
        ]
        return Round(prompts="set", at=AT, answers=tuple(answers))

    reference = [round_of(0.0) for _ in range(ROUNDS)]
    same, moved = judge(reference, round_of(0.0), None), judge(reference, round_of(-0.1), None)
    assert same.status == "same" and (same.p_logprobs or 0) > 1e-3
    assert moved.status == "suspected" and (moved.p_logprobs or 1) < 1e-4


def test_the_distance_of_answers_is_the_share_of_places_that_differ() -> None:
    assert distance_of("abc", "abc") == 0
    assert distance_of("abcd", "abcx") == 0.25
    assert distance_of("", "") == 0
    assert distance_of("", "abc") == 1


def test_verdicts_are_kept_as_they_were() -> None:
    found = judge([Model(1).round() for _ in range(ROUNDS)], Model(2).round(), None)
    assert msgspec.json.decode(msgspec.json.encode(found), type=Verdict) == found
