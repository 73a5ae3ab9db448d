"""An answer that is not what its release asks for is mended, or is an error, and is never passed off as good."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from anthropic import Anthropic
from openai import OpenAI
from tests.contract.gateway.data_plane import Gateway
from tests.contract.gateway.test_failing_over import call_of, said

from watchkeeper.releases.recipe import Limits, Message, Output, Recipe, schema_id
from watchkeeper.testing import ErrorReply, Reply, Tool, Upstream

SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "people": {"type": "integer"}},
    "required": ["city"],
    "additionalProperties": False,
}
GOOD, BAD = '{"city": "Oslo", "people": 700000}', '{"city": 4}'


def recipe(model: str = "gpt-4o-mini", **output: Any) -> Recipe:
    return Recipe(
        feature="extract",
        model=model,
        messages=(Message("user", "Which city?"),),
        output=Output(schema=SCHEMA, **output),
    )


@pytest.fixture(autouse=True)
def _forgotten(gateway: Gateway) -> Iterator[None]:
    yield
    gateway.features.follow(type(gateway.features.live)(0, {}))


def ask(http: httpx.Client, **fields: Any) -> httpx.Response:
    return http.post("/chat/completions", json={"model": "feature/extract", **fields})


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_that_fits_passes_as_it_came(
    gateway: Gateway, http: httpx.Client, upstream: Upstream, stream: bool
) -> None:
    gateway.push(recipe(repair="once"))
    upstream.always(Reply(GOOD))
    reply = ask(http, stream=stream)
    assert said(reply) == GOOD
    call = call_of(gateway, reply)
    assert (call.output_status, call.output_schema, call.output_repairs) == ("ok", schema_id(SCHEMA), 0)
    assert reply.headers["x-wk-output"] == "ok" or stream


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("around", ["```json\n{}\n```", "Here you are: {} I hope it helps.", "  {}\n\n"])
def test_words_around_the_json_are_taken_off(
    gateway: Gateway, http: httpx.Client, upstream: Upstream, stream: bool, around: str
) -> None:
    gateway.push(recipe())
    upstream.always(Reply(around.replace("{}", GOOD)))
    reply = ask(http, stream=stream)
    assert json.loads(said(reply)) == json.loads(GOOD)
    call = call_of(gateway, reply)
    assert len(upstream.received) == 1
    assert call.output_status in ("ok", "repaired")
    assert (call.output_status == "ok") == (said(reply) == around.replace("{}", GOOD))


@pytest.mark.parametrize("stream", [False, True])
def test_a_model_is_asked_to_mend_what_does_not_fit_and_that_is_on_the_bill(
    gateway: Gateway, http: httpx.Client, upstream: Upstream, stream: bool
) -> None:
    gateway.push(recipe(repair="once"))
    upstream.plays(Reply(BAD), Reply(GOOD))
    reply = ask(http, stream=stream)
    assert said(reply) == GOOD
    call = call_of(gateway, reply)
    assert (call.status, call.output_status, call.output_repairs, call.output_path) == ("ok", "repaired", 1, "/city")
    assert call.output_error == 'it is not of type "string"'
    assert [attempt.kind for attempt in call.attempts] == ["first", "repair"]
    assert call.cost_nusd == sum(attempt.cost_nusd or 0 for attempt in call.attempts) > 0
    asked = upstream.received[-1].json["messages"]
    assert asked[-2] == {"role": "assistant", "content": BAD}
    assert 'it is not of type "string" (at /city)' in asked[-1]["content"]


def test_what_cannot_be_mended_is_an_error_that_says_where(
    gateway: Gateway, http: httpx.Client, upstream: Upstream
) -> None:
    gateway.push(recipe(repair="twice"))
    upstream.always(Reply(BAD))
    reply = ask(http)
    assert (reply.status_code, reply.json()["error"]["code"]) == (502, "output_invalid")
    assert 'at /city: it is not of type "string", also after 2 repairs' in reply.json()["error"]["message"]
    call = call_of(gateway, reply)
    assert (call.status, call.error_class, call.output_status) == ("error", "malformed_reply", "failed")
    assert len(upstream.received) == 3


def test_a_release_may_have_it_delivered_all_the_same(gateway: Gateway, http: httpx.Client, upstream: Upstream) -> None:
    gateway.push(recipe(on_failure="deliver"))
    upstream.always(Reply(BAD))
    reply = ask(http)
    assert said(reply) == BAD
    assert (call_of(gateway, reply).output_status, reply.headers["x-wk-output"]) == ("failed", "failed")


@pytest.mark.parametrize("stream", [False, True])
def test_what_is_delivered_in_the_end_is_the_first_answer_and_so_says_the_record(
    gateway: Gateway, http: httpx.Client, upstream: Upstream, stream: bool
) -> None:
    gateway.push(recipe(repair="once", on_failure="deliver"))
    upstream.plays(Reply(BAD), Reply('{"town": "second"}'))
    reply = ask(http, stream=stream)
    assert said(reply) == BAD
    call = call_of(gateway, reply)
    assert (call.output_status, call.output_repairs) == ("failed", 1)
    assert b"second" not in call.response_body


def test_what_repairs_may_cost_counts_before_the_call(gateway: Gateway, http: httpx.Client, upstream: Upstream) -> None:
    upstream.always(Reply(BAD))
    limited = {"parameters": {"max_tokens": 1000}, "limits": Limits(max_cost_nusd=700_000)}
    for repair, status in (("no", 502), ("twice", 429)):
        base = recipe(repair=repair)
        gateway.push(Recipe(**{name: getattr(base, name) for name in base.__struct_fields__} | limited))
        assert ask(http).status_code == status


def test_an_answer_that_failed_is_not_kept_and_a_kept_one_says_what_it_was(
    gateway: Gateway, http: httpx.Client, upstream: Upstream
) -> None:
    gateway.push(recipe(model="cached", on_failure="deliver"))
    upstream.plays(Reply(BAD), Reply(GOOD), Reply("never"))
    statuses = [call_of(gateway, ask(http)).output_status for _ in range(3)]
    assert statuses == ["failed", "ok", "ok"]
    assert len(upstream.received) == 2


def test_a_repair_that_fails_leaves_the_first_answer_to_be_judged(
    gateway: Gateway, http: httpx.Client, upstream: Upstream
) -> None:
    gateway.push(recipe(repair="once", on_failure="deliver"))
    upstream.plays(Reply(BAD), ErrorReply(500))
    reply = ask(http)
    assert said(reply) == BAD
    assert call_of(gateway, reply).output_status == "failed"


def test_an_answer_that_asks_for_a_tool_is_no_output_yet(
    gateway: Gateway, http: httpx.Client, upstream: Upstream
) -> None:
    gateway.push(recipe(repair="once"))
    upstream.always(Reply("", tools=(Tool("lookup", {}),)))
    reply = ask(http)
    assert reply.status_code == 200
    assert call_of(gateway, reply).output_status == ""


def test_official_clients_get_mended_answers_in_their_own_form(
    gateway: Gateway, client: OpenAI, claude: Anthropic, upstream: Upstream
) -> None:
    gateway.push(recipe(repair="once"))
    upstream.plays(Reply(BAD), Reply(GOOD), Reply(BAD), Reply(GOOD), Reply(BAD), Reply(GOOD))
    with claude.messages.stream(model="feature/extract", max_tokens=9, messages=[]) as stream:
        assert stream.get_final_message().content[0].text == GOOD  # type: ignore[union-attr]  # the reply is text
    assert client.responses.create(model="feature/extract", input="").output_text == GOOD
    chunks = client.chat.completions.create(model="feature/extract", messages=[], stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == GOOD


def test_a_model_of_another_dialect_is_asked_to_mend_its_own_answer(
    gateway: Gateway, http: httpx.Client, upstream: Upstream
) -> None:
    gateway.push(recipe(model="sonnet", repair="once"))
    upstream.plays(Reply(BAD), Reply(GOOD))
    assert said(ask(http)) == GOOD
    assert upstream.received[-1].path == "/v1/messages"


def test_the_schema_is_sent_where_the_release_says_so(gateway: Gateway, http: httpx.Client, upstream: Upstream) -> None:
    gateway.push(recipe(send=True))
    upstream.always(Reply(GOOD))
    ask(http)
    assert upstream.received[-1].json["response_format"]["json_schema"]["schema"] == SCHEMA
