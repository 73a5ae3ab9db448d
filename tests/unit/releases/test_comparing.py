"""What differs between two recipes, and how two changes of one come together: nothing is lost, nothing is guessed."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.releases.authored_recipes import TEXTS, authored_recipes

from watchkeeper.config.problems import dotted
from watchkeeper.releases.authoring import authored, read_authored
from watchkeeper.releases.comparing import MISSING, changes, merge, same
from watchkeeper.releases.described import described
from watchkeeper.releases.texts import compared

BASE: dict[str, Any] = {
    "model": "a",
    "messages": [{"role": "system", "content": "One."}, {"role": "user", "content": "{{ q }}"}],
    "parameters": {"temperature": 0, "stop": ["x", "y"]},
}


def with_(**sections: Any) -> dict[str, Any]:
    return BASE | sections


GENTLY = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
RECIPES = authored_recipes().map(lambda written: authored(read_authored(written)))


@GENTLY
@given(RECIPES, RECIPES)
def test_changes_are_all_there_is_between_two_recipes(before: dict[str, Any], after: dict[str, Any]) -> None:
    found = changes(before, after)
    assert (found == []) == same(before, after)
    again = merge(before, before, after)
    assert same(again.value, after) and again.conflicts == ()
    back = changes(after, before)
    assert {(dotted(one.place), one.kind) for one in back} == {
        (dotted(one.place), {"added": "removed", "removed": "added"}.get(one.kind, one.kind)) for one in found
    }


@GENTLY
@given(RECIPES, RECIPES, RECIPES)
def test_where_nothing_conflicts_both_changes_are_in_and_otherwise_each_place_is_named(
    base: dict[str, Any], mine: dict[str, Any], theirs: dict[str, Any]
) -> None:
    found = merge(base, mine, theirs)
    mirrored = merge(base, theirs, mine)
    assert set(found.conflicts) == set(mirrored.conflicts)
    if not found.conflicts:
        assert same(found.value, mirrored.value)
    for take, side in (("mine", mine), ("theirs", theirs)):
        taken = merge(base, mine, theirs, take)  # type: ignore[arg-type]  # one of the two sides
        assert taken.conflicts == ()
        for place in found.conflicts:
            assert same(at(taken.value, place), at(side, place))


def at(data: Any, place: Any) -> Any:
    for step in place:
        if not isinstance(step, int):
            data = data.get(step, MISSING)
        elif step < len(data):
            data = data[step]
        else:
            data = MISSING
        if data is MISSING:
            break
    return data


@pytest.mark.parametrize(
    ("mine", "theirs", "merged"),
    [
        (with_(model="b"), with_(parameters={"temperature": 1}), with_(model="b", parameters={"temperature": 1})),
        (
            with_(messages=[{"role": "system", "content": "Two."}, BASE["messages"][1]]),
            with_(messages=[*BASE["messages"], {"role": "user", "content": "More."}]),
            with_(
                messages=[
                    {"role": "system", "content": "Two."},
                    BASE["messages"][1],
                    {"role": "user", "content": "More."},
                ]
            ),
        ),
        (with_(tools=[{"name": "a"}]), with_(guards="strict"), with_(tools=[{"name": "a"}], guards="strict")),
    ],
)
def test_changes_of_different_places_come_together(
    mine: dict[str, Any], theirs: dict[str, Any], merged: dict[str, Any]
) -> None:
    found = merge(BASE, mine, theirs)
    assert found.conflicts == () and same(found.value, merged)


@pytest.mark.parametrize(
    ("mine", "theirs", "places"),
    [
        (with_(model="b"), with_(model="c"), ["model"]),
        (
            with_(parameters={"temperature": 0, "stop": ["x"]}),
            with_(parameters={"temperature": 0, "stop": ["y"]}),
            ["parameters.stop"],
        ),
        (
            with_(messages=[{"role": "system", "content": "Zero."}, *BASE["messages"]]),
            with_(messages=[BASE["messages"][0], {"role": "user", "content": "Else."}]),
            ["messages[1].content"],
        ),
        (
            with_(messages=[BASE["messages"][0]]),
            with_(messages=[BASE["messages"][0], {"role": "user", "content": "Else."}]),
            ["messages"],
        ),
        ({"model": "a"}, with_(parameters={"temperature": 1, "stop": ["x", "y"]}), ["parameters"]),
    ],
)
def test_a_place_that_both_changed_is_a_conflict_and_so_is_one_that_moved(
    mine: dict[str, Any], theirs: dict[str, Any], places: list[str]
) -> None:
    assert [dotted(place) for place in merge(BASE, mine, theirs).conflicts] == places


def test_one_and_true_and_one_point_zero_are_told_apart_where_json_does() -> None:
    assert [one.kind for one in changes({"a": True}, {"a": 1})] == ["changed"]
    assert changes({"a": [1, {"b": None}]}, {"a": [1, {"b": None}]}) == []
    assert changes({"a": None}, {}) == [changes({"a": None}, {})[0]]
    assert changes({"a": None}, {})[0].kind == "removed"


@GENTLY
@given(st.lists(TEXTS, max_size=5).map("\n".join), st.lists(TEXTS, max_size=5).map("\n".join))
def test_the_lines_of_a_comparison_are_both_texts(before: str, after: str) -> None:
    lines = compared(before, after)
    assert "\n".join(line.text for line in lines if line.sign in " -") == before
    assert "\n".join(line.text for line in lines if line.sign in " +") == after


def test_a_changed_word_is_marked_within_its_line() -> None:
    [change] = changes({"x": "Be kind.\nAnswer in English."}, {"x": "Be kind.\nAnswer in German."})
    lines = described(change)["lines"]
    assert [
        "".join(f"[{part['text']}]" if part["is_changed"] else part["text"] for part in line["parts"]) for line in lines
    ] == [
        "Be kind.",
        "Answer in [English].",
        "Answer in [German].",
    ]


@pytest.mark.parametrize(("lines", "words"), [(3_000, 3), (3, 3_000), (1_999, 20)])
def test_hostile_texts_are_compared_in_no_time(lines: int, words: int) -> None:
    before = "\n".join(" ".join(f"{place * word % 7}" for word in range(words)) for place in range(lines))
    after = "\n".join(" ".join(f"{place * word % 5}" for word in range(words)) for place in range(lines))
    found = compared(before, after)
    assert "\n".join(line.text for line in found if line.sign in " +") == after
