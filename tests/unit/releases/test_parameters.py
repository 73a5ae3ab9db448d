"""Parameters that no upstream takes are named before a release is kept."""

from typing import Any

import pytest

from watchkeeper.releases.parameters import mistakes_in_parameters


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", 2.1), ("temperature", "0"), ("temperature", True), ("top_p", 1.5), ("max_tokens", 0),
        ("max_completion_tokens", 1.5), ("n", -1), ("stop", 3), ("stop", ["a", 1]), ("seed", "1"), ("stream", True),
        ("messages", []), ("model", "x"), ("tools", []), ("user", "ana"), ("stream_options", {}),
    ],
)  # fmt: skip
def test_what_cannot_be_a_parameter_is_a_mistake(name: str, value: Any) -> None:
    [found] = mistakes_in_parameters({name: value})
    assert found.place == f"parameters.{name}" and not found.is_warning


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", 0), ("temperature", 2), ("top_p", 0.5), ("max_tokens", 1), ("stop", "x"), ("stop", ["x", "y"]),
        ("seed", -4), ("seed", None), ("reasoning_effort", "low"),
    ],
)  # fmt: skip
def test_what_upstreams_take_is_no_mistake(name: str, value: Any) -> None:
    assert mistakes_in_parameters({name: value}) == []


def test_an_unknown_parameter_is_passed_on_and_doubted() -> None:
    [found] = mistakes_in_parameters({"temprature": 1})
    assert found.is_warning and "did you mean `temperature`?" in found.message
