"""Reading and patching OpenAI requests without disturbing what need not change."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.gateway.dialects.openai import OPENAI
from watchkeeper.gateway.patching import patch
from watchkeeper.gateway.refusals import BadRequest
from watchkeeper.gateway.surfaces.errors import error_body
from watchkeeper.gateway.surfaces.views import read_chat

MINIMAL = b'{"model":"m","messages":[]}'


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "The body is empty"),
        (b"  ", "The body is empty"),
        (b"{", "not valid JSON"),
        (b'{"model":"m","messages":[]} x', "not valid JSON"),
        (b"[]", "Expected `object`"),
        (b'"text"', "Expected `object`"),
        (b'{"messages":[]}', "`model` is required"),
        (b'{"messages":[],"models":[]}', "`models` must name between 1 and 20 models"),
        (b'{"model":"m"}', "`messages` is required"),
        (b'{"model":1,"messages":[]}', "`model` has the wrong type"),
        (b'{"model":"m","messages":{}}', "`messages` must be an array"),
        (b'{"model":"m","messages":[],"stream":"yes"}', "`stream` has the wrong type"),
        (b'{"model":"m","messages":[],"stream_options":{"include_usage":3}}', "`stream_options.include_usage`"),
        (b'{"model":"m","messages":[],"user":7}', "`user` has the wrong type"),
        (b'{"model":"m","messages":[{"content":"\xff"}]}', "not valid UTF-8: byte 37"),
        (b'{"model":"m","messages":' + b"[" * 100_000, "nested too deeply"),
    ],
)
def test_a_bad_chat_body_is_refused_with_the_field_at_fault(body: bytes, said: str) -> None:
    with pytest.raises(BadRequest) as refused:
        read_chat(body)
    assert said in str(refused.value)


def test_fields_the_gateway_does_not_know_are_left_alone() -> None:
    view = read_chat(b'{"model":"m","messages":[],"tools":[{"x":1}],"n":null,"logprobs":true}')
    assert view.model == "m"
    assert view.stream is None


def test_a_patch_keeps_the_bytes_of_every_other_value() -> None:
    body = (
        b'{ "model" : "route",\n "temperature": 1.0e-1, "messages": [ {"role":"user", "content":"\\u00e9 \xc3\xa9"} ] }'
    )
    patched = patch(body, {"model": b'"target"'})
    assert json.loads(patched)["model"] == "target"
    assert b'[ {"role":"user", "content":"\\u00e9 \xc3\xa9"} ]' in patched
    assert b"1.0e-1" in patched


@given(
    st.dictionaries(
        st.text(max_size=8),
        st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3)),
        max_size=6,
    )
)
def test_a_patch_changes_nothing_but_what_it_names(fields: dict[str, object]) -> None:
    body = json.dumps(fields | {"model": "a", "messages": []}).encode()
    patched = json.loads(patch(body, {"model": b'"b"'}))
    assert patched == json.loads(body) | {"model": "b"}


@pytest.mark.parametrize(
    ("options", "becomes"),
    [
        (None, {"include_usage": True}),
        ({"include_usage": False}, {"include_usage": True}),
        ({"include_obfuscation": False}, {"include_obfuscation": False, "include_usage": True}),
    ],
)
def test_asking_for_usage_keeps_the_clients_other_stream_options(options: object, becomes: object) -> None:
    body = json.dumps({"model": "m", "messages": [], "stream_options": options}).encode()
    [(name, written)] = OPENAI.endpoints["chat"].with_usage(body).items()
    assert (name, json.loads(written or b"")) == ("stream_options", becomes)


def test_asking_for_usage_works_without_any_stream_options() -> None:
    assert OPENAI.endpoints["chat"].with_usage(MINIMAL) == {"stream_options": b'{"include_usage":true}'}


def test_errors_have_the_shape_that_openai_clients_read() -> None:
    error = json.loads(error_body("openai", 'a "quoted" message', status=401, code="invalid_api_key"))["error"]
    assert error == {
        "message": 'a "quoted" message',
        "type": "authentication_error",
        "param": None,
        "code": "invalid_api_key",
    }


def test_errors_have_the_shape_that_anthropic_clients_read() -> None:
    found = json.loads(error_body("anthropic", "no", status=429, code="budget_exceeded", call_id="01A"))
    assert found["type"] == "error"
    assert found["request_id"] == "01A"
    assert (found["error"]["type"], found["error"]["message"]) == ("rate_limit_error", "no")
