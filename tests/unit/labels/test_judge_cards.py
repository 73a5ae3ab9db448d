"""A judge is eligible by what people say of the answers that it marked, weighted as they were drawn."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.evals.judge_cards import Checked
from watchkeeper.evals.judge_checks import judge_card, people_agreement


def checked(good: int, bad: int, *, misses: int = 0, lets_by: int = 0, arm: str = "candidate") -> list[Checked]:
    """So many good and bad answers, of which the judge fails some of the good ones and passes some of the bad."""
    return [
        *(Checked(arm=arm, has_passed=place >= misses, value=1.0) for place in range(good)),
        *(Checked(arm=arm, has_passed=place < lets_by, value=0.0) for place in range(bad)),
    ]


def test_a_judge_that_people_agree_with_is_eligible() -> None:
    card = judge_card("wk1-j", checked(80, 60, misses=6, lets_by=5))
    assert (card.fitness, card.reasons, card.labels, card.good) == ("eligible", (), 140, 80)
    assert card.sensitivity.value == pytest.approx(74 / 80) and card.specificity.value == pytest.approx(55 / 60)
    seen, chance = 129 / 140, (80 * 79 + 60 * 61) / 140**2
    assert card.kappa.value == pytest.approx((seen - chance) / (1 - chance))
    assert card.labels_saved is not None and 0.6 < card.labels_saved < 0.8
    assert card.kappa.lower < (seen - chance) / (1 - chance) < card.kappa.upper


@pytest.mark.parametrize(
    ("answers", "fitness", "why"),
    [
        ([], "unlabelled", "Nobody has labelled"),
        (checked(40, 40), "advisory", "It has 80 labels, and needs 100."),
        (checked(110, 10), "advisory", "People found 10 answers bad"),
        (checked(110, 0), "advisory", "kappa cannot be told"),
        (checked(60, 60, misses=15, lets_by=12), "advisory", "Its kappa is 0.5"),
        (checked(60, 60, misses=20), "advisory", "It passes 67% of the good answers"),
        (checked(60, 60, lets_by=20), "advisory", "It fails 67% of the bad answers"),
        (checked(60, 60) + checked(60, 60, misses=12, lets_by=8, arm="baseline"), "advisory", "under one arm"),
    ],
)
def test_what_keeps_a_judge_from_gating_is_said(answers: list[Checked], fitness: str, why: str) -> None:
    card = judge_card("wk1-j", answers)
    assert card.fitness == fitness and any(why in reason for reason in card.reasons), card.reasons


def test_answers_count_for_those_that_they_were_drawn_for() -> None:
    """Of 1,000 answers 100 are bad; the judge misses 1 in 10 of the good and passes 3 in 10 of the bad.

    What it failed was drawn whole, what it passed by one in nine: unweighted, its sensitivity would look far worse.
    """
    dice = random.Random(3)
    answers = []
    for place in range(1_000):
        is_good = place >= 100
        passes = dice.random() < (0.9 if is_good else 0.3)
        probability = 1 / 9 if passes else 1.0
        if dice.random() < probability:
            one = Checked(arm="candidate", has_passed=passes, value=float(is_good), probability=probability)
            answers.append(one)
    card = judge_card("wk1-j", answers)
    assert (
        card.sensitivity.lower < 0.9 < card.sensitivity.upper and card.specificity.lower < 0.7 < card.specificity.upper
    )
    good = [one for one in answers if one.is_good]
    assert sum(one.has_passed for one in good) / len(good) < 0.6


def test_the_order_that_decides_a_pair_is_on_the_card() -> None:
    answers = [Checked(arm="candidate", has_passed=True, value=1.0, is_torn=place < 10) for place in range(40)]
    assert judge_card("wk1-j", answers).torn.value == 0.25


@given(
    st.lists(
        st.builds(
            Checked,
            arm=st.sampled_from(["candidate", "baseline"]),
            has_passed=st.booleans(),
            value=st.sampled_from([0.0, 0.25, 0.5, 1.0]),
            probability=st.floats(0.01, 1.0),
        ),
        max_size=30,
    )
)
def test_every_figure_lies_within_its_interval(answers: list[Checked]) -> None:
    card = judge_card("wk1-j", answers)
    for figure in (card.agreement, card.sensitivity, card.specificity):
        assert figure.value is None or figure.lower - 1e-9 <= figure.value <= figure.upper + 1e-9
    assert card.kappa.value is None or -1 <= card.kappa.lower <= card.kappa.upper <= 1


def test_people_are_compared_with_each_other_and_with_what_is_right() -> None:
    said = [{"ana": 1.0, "ben": 1.0}, {"ana": 0.0, "ben": 0.0}, {"ana": 1.0, "ben": 0.0}, {"cleo": 1.0}]
    found = people_agreement(said, [(1.0, {"ana": 1.0, "cleo": 0.0})])
    assert found.shared == 3 and found.alpha is not None and 0 < found.alpha < 1
    assert [(one.name, one.labels, one.gold_right, one.gold) for one in found.labellers] == [
        ("ana", 3, 1, 1),
        ("ben", 3, 0, 0),
        ("cleo", 1, 0, 1),
    ]
    assert people_agreement([], []).alpha is None


def test_full_agreement_of_unequal_weights_is_no_more_than_full() -> None:
    answers = [
        Checked(arm="candidate", has_passed=passed, value=0.5 * passed, probability=probability)
        for passed, probability in ((False, 0.5), (True, 0.75), (True, 0.6875))
    ]
    found = judge_card("wk1-j", answers).kappa
    assert found.value is not None and found.lower <= found.value <= found.upper <= 1
