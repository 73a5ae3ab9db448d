"""A look finds what has changed, says where it comes from, and is silent where nothing has."""

import os
from datetime import timedelta

import pytest
from tests.unit.drift.made import GROUP, LATER, Product, occasion

from watchkeeper.evals.drift.calibrating import replay
from watchkeeper.evals.drift.following import over, told
from watchkeeper.evals.drift.levels import levels
from watchkeeper.evals.drift.look import look_at, look_at_volume
from watchkeeper.evals.drift.readings import Look, sentence
from watchkeeper.evals.drift.sample import Sample

IS_SOAK = os.environ.get("WK_SOAK") == "1"
MONTHS = 20 if IS_SOAK else 1
TRIES = 200 if IS_SOAK else 12


def test_answers_that_became_shorter_are_told_with_how_much_and_that_inputs_did_not_change() -> None:
    made = Product(1)
    look = look_at(occasion(), made.week(), made.hour(answers=0.59))
    (reading,) = told(look, None)
    assert (reading.signal, reading.breach, reading.cause) == ("output_letters", "certain", "outputs")
    said = sentence(reading, look)
    assert said.startswith("answers became ") and " % shorter (p < 0.0001), inputs did not change" in said


@pytest.mark.parametrize(
    ("change", "signal"),
    [
        ({"answers": 0.6}, "output_letters"),
        ({"inputs": 2.0}, "input_letters"),
        ({"refusals": 0.14}, "refusals"),
        ({"german": 0.4}, "input_language"),
    ],
    ids=str,
)
def test_a_change_is_found_within_two_hours_of_150_calls(change: dict[str, float], signal: str) -> None:
    found = 0
    for seed in range(TRIES):
        made = Product(seed)
        week = made.week()
        before = look_at(occasion(), week, made.hour(150, LATER, **change))
        since = LATER + timedelta(hours=1)
        now = look_at(occasion(since), week, made.hour(150, since, **change))
        found += signal in {one.signal for one in (*told(before, None), *told(now, before))}
    assert found / TRIES >= 0.9


def test_a_month_of_hours_in_which_nothing_changes_raises_one_false_alarm_at_most() -> None:
    alarms = 0
    hours = 720 if IS_SOAK else 150
    for seed in range(MONTHS):
        made = Product(seed)
        week, before = made.week(), None
        for hour in range(hours):
            since = LATER + timedelta(hours=hour)
            look = look_at(occasion(since), week, made.hour(120, since=since))
            alarms += bool(told(look, before))
            before = look
    assert alarms <= MONTHS


def test_inputs_that_move_and_take_answers_along_are_told_as_the_cause() -> None:
    made = Product(3)
    look = look_at(occasion(), made.week(follows=True), made.hour(400, german=0.7, follows=True))
    found = {one.signal: one for one in told(look, None)}
    assert found["input_language"].cause == "inputs"
    assert found["output_letters"].cause == "inputs"
    assert (found["output_letters"].at_like_inputs or 0) < 0.5
    assert "as inputs did (language of inputs)" in sentence(found["output_letters"], look)


def test_answers_that_move_by_themselves_while_inputs_move_too_are_the_models() -> None:
    made = Product(4)
    look = look_at(occasion(), made.week(), made.hour(400, german=0.7, answers=0.5))
    found = {one.signal: one for one in told(look, None)}
    assert found["output_letters"].cause == "outputs"
    assert (found["output_letters"].at_like_inputs or 0) > 0.8
    assert "but at like inputs" in sentence(found["output_letters"], look)


def test_a_change_too_small_to_matter_is_not_told_however_certain() -> None:
    made = Product(5)
    look = look_at(occasion(), made.week(20_000), made.hour(20_000, answers=1.08))
    reading = look.reading("output_letters")
    assert reading is not None and reading.p < 1e-4 and reading.breach == ""


@pytest.mark.parametrize(("before", "now"), [(2_000, 99), (199, 500)])
def test_too_few_calls_are_not_judged_and_it_is_said_why(before: int, now: int) -> None:
    made = Product(6)
    look = look_at(occasion(), made.week(before), made.hour(now, answers=0.1))
    assert look.readings == () and "needed" in look.not_judged


def test_what_is_suspected_is_told_when_the_next_hour_says_the_same_and_not_when_an_hour_lies_between() -> None:
    first, second = _suspected(0), _suspected(1)
    assert told(first, None) == ()
    assert {one.signal for one in told(second, first)} >= {"refusals"}
    assert told(_suspected(2), first) == ()


def test_it_is_over_after_two_quiet_looks_and_not_while_the_day_still_shows_it() -> None:
    loud, quiet = _suspected(0), _quiet(1)
    assert over(["refusals"], quiet, loud, None) == ()
    assert over(["refusals"], _quiet(2), quiet, loud) == ()
    assert over(["refusals"], _quiet(2), quiet, None) == ("refusals",)
    assert over(["output_topics"], _quiet(2), quiet, None) == (), "what was not looked at is not over"


def test_an_hour_is_compared_with_the_same_hours_of_other_days() -> None:
    made = Product(7)
    nights = [made.sample(60, LATER.replace(day=day, hour=2), timedelta(hours=1), inputs=4) for day in range(5, 10)]
    days = [made.sample(60, LATER.replace(day=day, hour=9), timedelta(hours=1)) for day in range(5, 10)]
    rows = tuple(row for one in (*nights, *days) for row in one.rows)
    look = look_at(occasion(), Sample(calls=len(rows), rows=rows), made.hour(300))
    reading = look.reading("input_letters")
    assert reading is not None and reading.units_before == 300 and reading.breach == ""


def test_volume_allows_for_the_spread_of_past_windows() -> None:
    calm, wild = [100, 104, 97, 101, 99, 103, 98, 102], [20, 300, 90, 10, 400, 150, 40, 220]
    at = occasion()
    assert [one.signal for one in told(look_at_volume(at, calm, 400), None)] == ["volume"]
    assert told(look_at_volume(at, wild, 400), None) == ()
    assert "7 are needed" in look_at_volume(at, calm[:6], 400).not_judged


def test_a_history_replayed_against_itself_measures_its_false_alarms() -> None:
    made = Product(8)
    history = made.sample(4_000, LATER, timedelta(days=1))
    calm = replay(GROUP, "hour", history, levels("hour"))
    assert (calm.looks, calm.left_out, calm.alarms) == (24, 0, 0)
    restless = [
        made.sample(170, LATER + timedelta(hours=hour), timedelta(hours=1), answers=0.4 if hour % 6 == 0 else 1.0)
        for hour in range(48)
    ]
    rows = tuple(row for one in restless for row in one.rows)
    found = replay(GROUP, "hour", Sample(calls=len(rows), rows=rows), levels("hour"))
    assert found.by_signal["output_letters"] == found.alarms >= 7
    assert found.a_month is not None and found.a_month > 100


def _suspected(hour: int) -> Look:
    """An hour with more refusals than usual, as many as are suspect and not yet certain."""
    made = Product(11)
    since = LATER + timedelta(hours=hour)
    week, calls = _with_refusals(made.week(), 50), made.hour(200, since=since)
    for every in range(30, 3, -1):
        look = look_at(occasion(since), week, _with_refusals(calls, every))
        reading = look.reading("refusals")
        if reading is not None and reading.breach == "suspected":
            return look
    pytest.fail("no share of refusals is suspect without being certain")


def _quiet(hour: int) -> Look:
    made = Product(12)
    since = LATER + timedelta(hours=hour)
    return look_at(occasion(since), made.week(), made.hour(200, since=since))


def _with_refusals(sample: Sample, every: int) -> Sample:
    """Let one answer in so many refuse."""
    rows = (row._replace(form="refusal" if place % every == 0 else "prose") for place, row in enumerate(sample.rows))
    return Sample(calls=sample.calls, rows=tuple(rows))
