"""YAML, JSON and references are read as the libraries behind promptfoo read them."""

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.evals.promptfoo.documents import follow_references, load, read_json, read_yaml, write_json
from watchkeeper.evals.promptfoo.errors import ConfigRefused


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("yes", "yes"),
        ("on", "on"),
        ("True", True),
        ("tRue", "tRue"),
        ("~", None),
        ("", None),
        ('""', ""),
        ("017", 17),
        ("0o17", 15),
        ("0x1F", 31),
        ("1_000", 1000),
        ("1.0", 1),
        ("1e3", 1000),
        (".5", 0.5),
        ("12:30:45", "12:30:45"),
        ("2024-01-31", "2024-01-31T00:00:00.000Z"),
        ("-.inf", -math.inf),
        ("1.2.3", "1.2.3"),
    ],
)
def test_a_plain_word_means_what_it_means_in_javascript(written: str, value: Any) -> None:
    assert read_yaml(f"key: {written}").data == {"key": value}


def test_merge_keys_and_aliases_are_followed_and_own_keys_win() -> None:
    text = "base: &b {a: 1, b: 2}\nmade:\n  <<: *b\n  b: 3\nlist: [*b]"
    assert read_yaml(text).data["made"] == {"b": 3, "a": 1}
    assert read_yaml(text).data["list"] == [{"a": 1, "b": 2}]


def test_a_value_knows_its_line_and_a_mistake_too(tmp_path: Path) -> None:
    document = read_yaml("a: 1\nb:\n  - c\n  - {d: e}\n")
    assert document.line(("b", 1, "d")) == 4
    path = tmp_path / "x.yaml"
    path.write_text("a: 1\na: 2\n")
    with pytest.raises(ConfigRefused, match=r"x\.yaml:2: the key `a` occurs twice"):
        load(path)


def test_references_lead_into_the_file_and_into_others(tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text("x: {y: [1, {z: 2}]}")
    data = {
        "parts": {"a/b": {"type": "contains", "value": "v"}},
        "use": [{"$ref": "#/parts/a~1b"}, {"$ref": "#/parts/a~1b", "weight": 2}, {"$ref": "other.yaml#/x/y/1"}],
        "tools": [{"function": {"parameters": {"$ref": "#/stays"}}}],
    }
    found = follow_references(data, tmp_path)
    assert found["use"] == [
        {"type": "contains", "value": "v"},
        {"type": "contains", "value": "v", "weight": 2},
        {"z": 2},
    ]
    assert found["tools"][0]["function"]["parameters"] == {"$ref": "#/stays"}


@pytest.mark.parametrize("reference", ["#/none", "#/list/7", "#/round"])
def test_a_reference_to_nothing_or_to_itself_is_refused(reference: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigRefused):
        follow_references({"list": [], "round": {"$ref": "#/round"}, "use": {"$ref": reference}}, tmp_path)


def test_aliases_that_unfold_without_end_are_refused_in_time() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    assert read_yaml("\n".join(lines)).faults


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_what_is_written_as_json_reads_as_the_same(value: Any) -> None:
    assert read_json(write_json(value)) == value
    assert read_json(write_json(value, indent=2)) == value
