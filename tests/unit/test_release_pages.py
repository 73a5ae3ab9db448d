"""Releases as page models: what differs, what is surely better or worse, and what a form comes to."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.console.charts.sequence import SequenceChart, SequencePoint, draw_sequence
from watchkeeper.console.drafts import (
    TypedMessage,
    TypedParameter,
    TypedVariable,
    draft_of,
    edited,
    read_draft,
    recipe_from,
    values_of,
)
from watchkeeper.console.pages.patterns import HOSTILE, LONG
from watchkeeper.console.pages.recipe import recipe_view
from watchkeeper.console.pages.release import stood_before
from watchkeeper.console.pages.release_diff import place_words, recipe_diff, text_diff
from watchkeeper.console.pages.release_metrics import metric_lines
from watchkeeper.console.pages.release_patterns import release_patterns
from watchkeeper.console.pages.rollout import written
from watchkeeper.releases.recipe import Message, Output, Recipe, Tool, release_id
from watchkeeper.store.environments import StandingRow
from watchkeeper.store.release_figures import ReleaseFigures

NOW = datetime(2026, 11, 21, tzinfo=UTC)
RECIPE = Recipe(
    feature="support",
    model="gpt-4o-mini",
    messages=(Message("system", "You answer for {{ company }}.\nBe brief."), Message("conversation")),
    variables={"company": {"type": "string", "maxLength": 40}, "tone": {"type": "string", "default": "kind"}},
    parameters={"temperature": 0, "stop": ["END"]},
    tools=(Tool("look", {"type": "object"}),),
    output=Output(repair="once"),
)


def figures(calls: int, **more: Any) -> ReleaseFigures:
    values: dict[str, Any] = {
        "release": "wk1-a", "environment": "production", "calls": calls, "errors": 0, "duration_p50_ms": 400.0,
        "duration_p95_ms": 900.0, "ok_outputs": calls, "repaired_outputs": 0, "failed_outputs": 0,
        "cost_nusd": 400_000 * calls, "priced_calls": calls, "cost_squares": calls * 400_000.0**2 * 1.2,
        "estimated_calls": 0, "first_at": NOW, "last_at": NOW,
    }  # fmt: skip
    return ReleaseFigures(**values | more)


# What differs


def test_a_changed_word_is_marked_in_its_line_and_nothing_else() -> None:
    after = RECIPE.messages[0].content.replace("brief", "brief and kind")
    diff = recipe_diff(RECIPE, _with(messages=(Message("system", after), *RECIPE.messages[1:])), named="before")
    (place,) = diff.places
    assert (place.place, place.kind) == ("message 1, system", "changed")
    (row,) = [one for one in place.rows if not one.is_same]
    assert row.after is not None
    assert "".join(part.text for part in row.after if part.is_changed).strip() == "and kind"


def test_every_place_that_differs_is_said_as_people_say_it() -> None:
    new = _with(
        model="gpt-4o",
        parameters={"temperature": 0.5},
        variables={"company": {"type": "string", "maxLength": 40}, "order": {"type": "integer"}},
        messages=(*RECIPE.messages, Message("user", "{{ order }}")),
        tools=(),
    )
    found = {one.place: one.kind for one in recipe_diff(RECIPE, new, named="before").places}
    assert found == {
        "model": "changed", "message 3, user": "added", "variable order": "added", "variable tone": "removed",
        "parameter temperature": "changed", "parameter stop": "removed", "tools": "removed",
    }  # fmt: skip


@given(st.text(max_size=200), st.text(max_size=200))
def test_both_sides_of_a_diff_are_the_two_texts(before: str, after: str) -> None:
    rows = text_diff(before, after).rows
    if any(row.skipped for row in rows):
        return
    left = "\n".join("".join(part.text for part in row.before) for row in rows if row.before is not None)
    right = "\n".join("".join(part.text for part in row.after) for row in rows if row.after is not None)
    assert (left, right) == (before, after)


def test_a_long_text_that_did_not_change_is_not_shown_again() -> None:
    lines = [f"line {number}" for number in range(200)]
    found = text_diff("\n".join(lines), "\n".join([*lines[:100], "new", *lines[100:]]))
    assert len(found.rows) == 7
    assert [row.skipped for row in found.rows if row.skipped] == [98, 98]


def test_a_huge_recipe_is_shown_in_part_and_what_changed_is_seen() -> None:
    words = " ".join(f"word{number}" for number in range(20_000))
    old = _with(messages=(Message("system", words), Message("user", "x\n" * 5_000)))
    new = _with(messages=(Message("system", words.replace("word7 ", "seven ")), Message("user", "y\n" * 5_000)))
    diff = recipe_diff(old, new, named="before")
    shown = [part.text for one in diff.places for row in one.rows for part in (*(row.before or ()), *(row.after or ()))]
    assert sum(map(len, shown)) < 30_000
    assert diff.places[1].left_out > 4_000
    view = recipe_view(new)
    assert sum(len(one.text) for one in view.messages) <= 20_000
    assert view.messages[0].left_out > 100_000


@pytest.mark.parametrize("place", [["messages", 99], ["tools", 3, "name"], ["variables", HOSTILE], [], ["limits", "x"]])
def test_any_place_has_words(place: list[str | int]) -> None:
    assert isinstance(place_words(place, {}), str)


# How it fares


def test_a_difference_is_called_worse_only_when_its_interval_leaves_no_doubt() -> None:
    old = figures(20_000, errors=200)
    few, many = figures(60, errors=2), figures(6_000, errors=200)
    doubtful = {line.name: line for line in metric_lines(few, old)}
    certain = {line.name: line for line in metric_lines(many, old)}
    assert (doubtful["Errors"].verdict, certain["Errors"].verdict) == ("", "worse")
    assert certain["Errors"].difference == "+2.33 points"
    assert certain["Cost a call, $"].verdict == ""
    assert metric_lines(figures(6_000, cost_nusd=6_000 * 300_000), old)[-1].verdict == "better"


def test_few_calls_give_no_interval_of_a_mean() -> None:
    line = metric_lines(figures(29), figures(20_000))[-1]
    assert (line.name, line.interval, line.verdict) == ("Cost a call, $", "", "")


def test_what_is_not_known_is_no_nought() -> None:
    unpriced = figures(50, cost_nusd=None, priced_calls=0, cost_squares=0.0)
    line = metric_lines(unpriced, None)[-1]
    assert (line.this, line.other, line.note) == ("unpriced", "–", "50 calls unpriced")
    assert [line.this for line in metric_lines(None, figures(10)) if line.name == "Errors"] == ["–"]


def test_a_release_is_compared_with_what_stood_before_it() -> None:
    rows = [_stood(3, "a"), _stood(2, "b"), _stood(1, "a"), _stood(9, "x", "staging")]
    assert stood_before(rows, "production", "a") == "b"
    assert stood_before(rows, "production", "b") == "a"
    assert stood_before(rows, "production", "new") == "a"
    assert stood_before(rows, "staging", "x") == ""


# A form


def test_a_release_that_is_not_touched_comes_out_of_the_form_as_it_went_in() -> None:
    recipe, problems, _ = recipe_from(draft_of(RECIPE, parent="p"), RECIPE)
    assert problems == {}
    assert recipe is not None and release_id(recipe) == release_id(RECIPE)


def test_what_the_form_does_not_show_stays_as_it_is() -> None:
    draft = draft_of(RECIPE, parent="p")
    found, _, _ = recipe_from(_draft(draft, model="gpt-4o"), RECIPE)
    assert found is not None
    assert (found.tools, found.output, found.model) == (RECIPE.tools, RECIPE.output, "gpt-4o")
    assert found.variables["company"] == {"type": "string", "maxLength": 40}


def test_the_ends_of_lines_that_browsers_send_are_not_part_of_the_text() -> None:
    draft = read_draft({"m.0.role": "system", "m.0.content": "one\r\ntwo\r\n", "model": "x", "parent": "p"})
    assert draft.messages == (TypedMessage("system", "one\ntwo\n"),)


@pytest.mark.parametrize(
    ("changed", "field", "words"),
    [
        ({"messages": (TypedMessage("system", "{{ company"),)}, "messages.0", "line 1"),
        ({"messages": (TypedMessage("system", "{{ other }}"),)}, "messages.0", "other"),
        ({"messages": ()}, "", "no message"),
        ({"model": ""}, "model", "missing"),
        ({"variables": (TypedVariable(name=""),)}, "variables.0", "name"),
        ({"variables": (TypedVariable(name="a b"),)}, "variables.0", ""),
        (
            {"variables": (TypedVariable(name="a", type="integer", is_optional=True, default="x"),)},
            "variables.0",
            "JSON",
        ),
        ({"variables": (TypedVariable(name="a"), TypedVariable(name="a"))}, "variables.1", "already"),
        ({"parameters": (TypedParameter("temperature", ""),)}, "parameters.0", "value"),
    ],
)
def test_a_mistake_stands_beside_its_field(changed: dict[str, Any], field: str, words: str) -> None:
    recipe, problems, _ = recipe_from(_draft(draft_of(RECIPE, parent="p"), **changed), RECIPE)
    assert recipe is None
    assert any(name == field or (not field and name == "") for name in problems), problems
    assert words in " ".join(problems.values())


def test_rows_are_added_removed_and_moved_and_nonsense_changes_nothing() -> None:
    draft = draft_of(RECIPE, parent="p")
    assert len(edited(draft, "add m").messages) == 3
    assert edited(draft, "up m 1").messages == draft.messages[::-1]
    assert edited(draft, "remove v 0").variables == draft.variables[1:]
    for nonsense in (
        "",
        "up m 0",
        "remove m 99",
        "remove m -1",
        "remove x 1",
        "up m \u0661",
        HOSTILE,
        "add",
        "remove m 1e9",
    ):
        assert edited(draft, nonsense) == draft


@given(st.dictionaries(st.text(max_size=20), st.text(max_size=80), max_size=12))
def test_nothing_that_can_be_sent_makes_the_form_fail(form: dict[str, str]) -> None:
    shuffled = form | {f"m.{len(key)}.{key[:8]}": value for key, value in form.items()}
    draft = read_draft(shuffled | {f"v.{len(value)}.name": value for value in form.values()})
    recipe, problems, _ = recipe_from(draft, RECIPE)
    assert recipe is not None or problems


def test_the_variables_of_a_preview_are_read_by_their_types() -> None:
    recipe = _with(
        variables={"n": {"type": "integer"}, "s": {"type": "string"}, "o": {"type": "object", "default": {}}},
        messages=(Message("user", "{{ n }} {{ s }} {{ o }}"),),
    )
    draft = _draft(draft_of(recipe, parent="p"), values={"n": "3", "s": "4", "o": ""})
    assert values_of(draft, recipe) == ({"n": 3, "s": "4"}, {})
    _, wrong = values_of(_draft(draft, values={"n": "three"}), recipe)
    assert list(wrong) == ["n"]


# Rollouts


def test_a_sequence_is_drawn_also_where_nothing_bounds_it_or_there_is_nothing() -> None:
    points = tuple(
        SequencePoint(NOW + timedelta(seconds=place), None if place < 2 else -0.1, 0.01, 0.1) for place in range(4)
    )
    drawn = [draw_sequence(SequenceChart(summary="x", points=some, margin=0.01)) for some in ((), points[:1], points)]
    assert not any(word in one for one in drawn for word in ("nan", "inf"))
    assert ["band" in one for one in drawn] == [False, True, True]


@pytest.mark.parametrize(
    ("metric", "value", "signed", "expected"),
    [
        ("errors", 0.041, False, "4.10 %"),
        ("errors", -0.0084, True, "−0.84 points"),
        ("cost", 400_000.0, False, "$0.000400"),
        ("cost", -34_000.0, True, "−$0.0000340"),
        ("cost", 34_000.0, True, "+$0.0000340"),
        ("feedback", 0.214, False, "21.40 %"),
        ("errors", None, True, "–"),
    ],
)
def test_a_metric_is_written_in_its_own_unit(metric: str, value: float | None, signed: bool, expected: str) -> None:
    assert written(metric, value, signed=signed) == expected


def test_looks_that_say_the_same_are_one_line() -> None:
    looks = release_patterns(hostile="", long=LONG).canary.looks
    assert [(look.decision, look.times) for look in looks] == [("continue", 6), ("widen", 1), ("continue", 5)]


def _with(**changes: Any) -> Recipe:
    names = RECIPE.__struct_fields__
    return Recipe(**{name: changes.get(name, getattr(RECIPE, name)) for name in names})


def _draft(draft: Any, **changes: Any) -> Any:
    return replace(draft, **changes)


def _stood(number: int, release: str, environment: str = "production") -> StandingRow:
    return StandingRow(
        id=number, feature="support", environment=environment, number=number, kind="promote", release=release,
        rollout=None, effective_at=NOW, at=NOW, by="ana", reason="", review=None, eval_run="",
    )  # fmt: skip
