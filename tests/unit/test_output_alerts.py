"""Answers that are not what their release asks for: when somebody is told, and when an hour with few says nothing."""

import random

import pytest

from watchkeeper.core.alert import Findings, Mark
from watchkeeper.watch.outputs import Answers, look, wilson


def answers(checked: int, failed: int, *, before: tuple[int, int] = (0, 0), allowed: float | None = None) -> Answers:
    return Answers(
        feature="support", checked=checked, failed=failed, checked_before=before[0], failed_before=before[1],
        last_call="01FAKE", last_release="wk1-fake", allowed=allowed,
    )  # fmt: skip


def raised(found: tuple[Findings, ...]) -> list[str]:
    return [draft.title for one in found for draft in one.raised]


@pytest.mark.parametrize(
    ("one", "is_told"),
    [
        (answers(100, 12, allowed=0.05), True),
        (answers(100, 6, allowed=0.05), False),  # 6 of 100 may well be 5 %
        (answers(10, 10, allowed=0.05), False),  # too few answers for a share
        (answers(100, 0, allowed=0.0), False),
        (answers(200, 60, before=(10_000, 200)), True),
        (answers(200, 8, before=(10_000, 200)), False),  # twice as many, and still by chance
        (answers(100_000, 2_900, before=(1_000_000, 20_000)), False),  # surely more, and not worth a word
        (answers(200, 100, before=(99, 0)), False),  # nothing is usual yet
        (answers(200, 100), False),
        (answers(200, 100, allowed=0.6, before=(10_000, 0)), False),  # what is configured is meant
    ],
)
def test_somebody_is_told_when_too_many_answers_fail_and_not_by_chance(one: Answers, is_told: bool) -> None:
    assert bool(raised(look([one], {}))) is is_told


def test_it_is_told_once_and_is_over_when_the_share_is_down_again() -> None:
    (first,) = look([answers(100, 12, allowed=0.05)], {})
    assert first.mark is not None
    marks: dict[str, Mark] = {"support": first.mark}
    # 6 % is no reason to begin, and none to end either.
    assert look([answers(100, 6, allowed=0.05)], marks) == ()
    (over,) = look([answers(100, 5, allowed=0.05)], marks)
    assert [one.key for one in over.over] == ["support"]
    (gone,) = look([], marks)
    assert gone.over


def test_the_message_says_how_many_what_is_allowed_and_where_they_are() -> None:
    (found,) = look([answers(100, 12, allowed=0.05)], {}, console="http://127.0.0.1:1")
    (draft,) = found.raised
    assert draft.title == "12.0 % of the answers of support are not what its release asks for"
    assert "12 of 100 answers" in draft.text
    assert "5 % are allowed by `output_alert`" in draft.text
    assert "http://127.0.0.1:1/calls?feature=support&output=failed" in draft.text
    (alone,) = look([answers(200, 60, before=(10_000, 200))], {})
    assert "usually 2.0 % do, 200 of 10,000" in alone.raised[0].text
    assert "`watchkeeper calls --feature support --output-status failed`" in alone.raised[0].text


def test_hours_as_usual_raise_next_to_nothing() -> None:
    dice = random.Random(1)
    told = 0
    for _ in range(2_000):
        before = sum(dice.random() < 0.05 for _ in range(500))
        now = sum(dice.random() < 0.05 for _ in range(60))
        told += bool(raised(look([answers(60, now, before=(500, before))], {})))
    assert told <= 2


def test_an_interval_holds_its_share_and_is_whole_where_nothing_was_seen() -> None:
    assert wilson(0, 0, 2.0) == (0.0, 1.0)
    for part in range(21):
        low, high = wilson(part, 20, 1.96)
        assert 0 <= low <= part / 20 <= high <= 1
