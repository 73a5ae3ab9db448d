"""A legacy completion is one turn of a user; what only the legacy API has is refused."""

import json
from typing import Any

import pytest

from watchkeeper.gateway.neutral import CannotCarry, Prompt, Text, Turn
from watchkeeper.gateway.refusals import BadRequest
from watchkeeper.gateway.surfaces.completions.reading import prompt_of


def read(prompt: Any, **fields: Any) -> Prompt:
    return prompt_of(json.dumps({"model": "m", "prompt": prompt, **fields}).encode())


@pytest.mark.parametrize("prompt", ["Once upon", ["Once upon"]])
def test_a_prompt_is_the_users_turn(prompt: Any) -> None:
    assert read(prompt) == Prompt(turns=(Turn("user", (Text("Once upon"),)),))


def test_an_empty_prompt_is_an_empty_turn() -> None:
    assert read("").turns == (Turn("user", ()),)


def test_fields_are_read() -> None:
    asked = {"max_tokens": 5, "temperature": 1, "top_p": 0.5, "top_k": 3, "stop": ["a"], "user": "u", "stream": True}
    assert read("x", **asked) == Prompt(
        turns=(Turn("user", (Text("x"),)),),
        max_tokens=5,
        temperature=1.0,
        top_p=0.5,
        top_k=3,
        stop=("a",),
        user="u",
        is_stream=True,
    )


def test_what_only_repeats_a_default_is_left_out() -> None:
    defaults = {
        "n": 1,
        "best_of": 1,
        "echo": False,
        "suffix": "",
        "logprobs": None,
        "presence_penalty": 0,
        "seed": None,
    }
    assert read("x", **defaults, stream_options={"include_usage": True}) == read("x")


def test_further_fields_keep_their_bytes() -> None:
    found = read("x", seed=7, n=2, unheard_of={"a": 1}).others
    assert {name: bytes(value) for name, value in found.items()} == {
        "seed": b"7",
        "n": b"2",
        "unheard_of": b'{"a": 1}',
    }


@pytest.mark.parametrize(
    ("prompt", "fields", "named"),
    [
        (["a", "b"], {}, "prompt"),
        ([1, 2], {}, "prompt"),
        ([[1, 2]], {}, "prompt"),
        ("x", {"suffix": "end"}, "suffix"),
        ("x", {"echo": True}, "echo"),
        ("x", {"best_of": 2}, "best_of"),
        ("x", {"logprobs": 0}, "logprobs"),
    ],
)
def test_what_has_no_place_is_refused_under_its_name(prompt: Any, fields: dict[str, Any], named: str) -> None:
    with pytest.raises(CannotCarry) as refused:
        read(prompt, **fields)
    assert refused.value.field == named


@pytest.mark.parametrize(
    ("prompt", "fields", "param"),
    [
        (3, {}, "prompt"),
        ([], {}, "prompt"),
        ([None], {}, "prompt"),
        (["a", 1], {}, "prompt"),
        (None, {}, "prompt"),
        ("x", {"max_tokens": "5"}, "max_tokens"),
        ("x", {"echo": 1}, "echo"),
    ],
)
def test_a_wrong_value_is_named(prompt: Any, fields: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequest) as refused:
        read(prompt, **fields)
    assert refused.value.param == param


def test_a_request_without_a_prompt_is_refused() -> None:
    with pytest.raises(BadRequest, match="`prompt` is required"):
        prompt_of(b'{"model":"m"}')
